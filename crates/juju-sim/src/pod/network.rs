//! One network a unit, shared by its charm and its containers, with nothing in it but a loopback of its own.
//!
//! A process inside keeps it alive; no name is registered anywhere, so nothing is left when that process ends.

use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};

use super::Privilege;
use super::nursery;

/// A network namespace and the way into it.
#[derive(Debug)]
pub(super) struct Network {
    privilege: Privilege,
    holder_pid: i32,
    /// Ends the holder, and with it the network, when dropped.
    _holder: Child,
    sockets: Sockets,
}

/// Makes TCP sockets that live in the network.
#[derive(Debug, Clone)]
pub(super) struct Sockets(Arc<Mutex<OwnedFd>>);

impl Network {
    pub(super) async fn start(privilege: Privilege) -> anyhow::Result<Self> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .context("cannot make the socket to a unit's network")?;
        let (info, info_writer) = std::io::pipe().context("cannot make a pipe")?;
        let mut command = Command::new(program("bwrap")?);
        command
            .env_clear()
            .arg("--die-with-parent")
            .arg("--unshare-net");
        if privilege == Privilege::Ordinary {
            command.args(["--unshare-user", "--uid", "0", "--gid", "0"]);
        }
        command
            .args(["--dev-bind", "/", "/", "--info-fd", "1", "--"])
            .arg(holder_program()?);
        command
            .stdin(theirs)
            .stdout(info_writer)
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let holder = nursery::spawn(command).await?;
        let holder_pid = child_pid(info).await.context(
            "cannot make a network namespace: bubblewrap needs root, or user namespaces for ordinary users",
        )?;
        let sockets = Sockets(Arc::new(Mutex::new(ours)));
        // The first answer says that the holder runs, and so that the loopback is up.
        sockets
            .tcp()
            .await
            .context("cannot use the network of a unit")?;
        Ok(Self {
            privilege,
            holder_pid,
            _holder: holder,
            sockets,
        })
    }

    /// The command line that runs what follows it in this network.
    pub(super) fn enter(&self) -> anyhow::Result<Vec<OsString>> {
        let pid = self.holder_pid.to_string();
        let mut argv = vec![program("nsenter")?.into_os_string()];
        argv.extend(["--target", &pid, "--net"].map(OsString::from));
        if self.privilege == Privilege::Ordinary {
            argv.extend(["--user", "--preserve-credentials"].map(OsString::from));
        }
        argv.push("--".into());
        Ok(argv)
    }

    pub(super) fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }
}

impl Sockets {
    /// An unconnected TCP socket in the network.
    pub(super) async fn tcp(&self) -> anyhow::Result<TcpSocket> {
        let control = Arc::clone(&self.0);
        let socket = tokio::task::spawn_blocking(move || {
            ask(&control.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await??;
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        Ok(TcpSocket::from_std_stream(stream))
    }
}

fn ask(control: &OwnedFd) -> anyhow::Result<OwnedFd> {
    let ended = "the process that holds a unit's network has ended";
    sendmsg(
        control,
        &[IoSlice::new(b"s")],
        &mut SendAncillaryBuffer::default(),
        SendFlags::NOSIGNAL,
    )
    .context(ended)?;
    let mut answer = [0_u8; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(
        control,
        &mut [IoSliceMut::new(&mut answer)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .context(ended)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = message
            && let Some(fd) = fds.next()
        {
            return Ok(fd);
        }
    }
    bail!(ended)
}

/// Reads what bubblewrap writes to `--info-fd`: the process it started, as seen from here.
pub(super) async fn child_pid(mut info: std::io::PipeReader) -> anyhow::Result<i32> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Info {
        child_pid: i32,
    }
    let text = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        info.read_to_string(&mut text).map(|_| text)
    })
    .await??;
    let info: Info = serde_json::from_str(&text).context("bubblewrap did not start")?;
    Ok(info.child_pid)
}

/// Where a program of the host is: the environment of what we start has another PATH.
pub(super) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("cannot find {name}: install it (bubblewrap, util-linux)"))
}

fn holder_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    // A test program is one folder below the others.
    (own.ancestors().skip(1).take(2))
        .map(|folder: &Path| folder.join("juju-sim-net"))
        .find(|file| file.is_file())
        .with_context(|| {
            format!(
                "cannot find juju-sim-net beside {}: build it",
                own.display()
            )
        })
}
