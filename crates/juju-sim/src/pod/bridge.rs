//! Ways between a unit's network and the host: a unit reaches a server of the host (S3) at a port of its own loopback, and the
//! host reaches a port of a unit (the Matrix client-server API) at a port of the host's loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::network::Sockets;

const BACKLOG: u32 = 128;
const BUFFER_BYTES: usize = 128 * 1024;

/// A port of the unit's loopback that leads to a server of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The port on 127.0.0.1 in the unit's network.
    pub listen: u16,
    /// The server of the host.
    pub to: ForwardTarget,
}

/// A server of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardTarget {
    /// At a TCP address, of the host's loopback.
    Tcp(SocketAddr),
    /// At a unix socket.
    Unix(PathBuf),
}

/// Ends when dropped, with its connections.
#[derive(Debug)]
pub(super) struct Bridge(JoinHandle<()>);

impl Drop for Bridge {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Leads `forward.listen` in the unit's network to the host.
pub(super) async fn forward(sockets: &Sockets, forward: Forward) -> anyhow::Result<Bridge> {
    let Forward { listen, to } = forward;
    let socket = sockets.tcp().await?;
    socket.set_reuseaddr(true)?;
    let listener = socket
        .bind((Ipv4Addr::LOCALHOST, listen).into())
        .and_then(|()| socket.listen(BACKLOG))
        .with_context(|| format!("cannot forward port {listen} of a unit"))?;
    Ok(Bridge(tokio::spawn(serve(listener, move |inside| {
        let to = to.clone();
        async move {
            match to {
                ForwardTarget::Tcp(address) => {
                    join(inside, TcpStream::connect(address).await).await;
                }
                ForwardTarget::Unix(path) => join(inside, UnixStream::connect(path).await).await,
            }
        }
    }))))
}

/// Leads a free port of the host's loopback, returned, to `port` in the unit's network.
pub(super) async fn expose(sockets: &Sockets, port: u16) -> anyhow::Result<(SocketAddr, Bridge)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .with_context(|| format!("cannot expose port {port} of a unit"))?;
    let address = listener.local_addr()?;
    let sockets = sockets.clone();
    let task = tokio::spawn(serve(listener, move |outside| {
        let sockets = sockets.clone();
        async move {
            let Ok(socket) = sockets.tcp().await else {
                return;
            };
            join(
                outside,
                socket.connect((Ipv4Addr::LOCALHOST, port).into()).await,
            )
            .await;
        }
    }));
    Ok((address, Bridge(task)))
}

async fn serve<F>(listener: TcpListener, mut handle: impl FnMut(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(handle(stream))),
            // Out of file descriptors: those in use must end first.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// A server that cannot be reached shows as a connection closed at once, as near to "refused" as a bridge can come.
async fn join<S>(mut near: TcpStream, far: std::io::Result<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut far) = far else { return };
    // A side that breaks off closes the other: both are dropped here.
    drop(copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER_BYTES, BUFFER_BYTES).await);
}
