//! Lives in the network of a unit and keeps it alive. For each byte that arrives on standard input (a socket) it hands out, by
//! the same socket, one TCP socket made in that network: such a socket stays there, whoever uses it. Ends when the
//! other side is closed.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socket_with,
};

fn main() -> ExitCode {
    match serve(io::stdin().as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(control: impl AsFd) -> io::Result<()> {
    let mut request = [0_u8; 1];
    while recv(&control, &mut request[..], RecvFlags::empty())?.0 == 1 {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let fds = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(
            &control,
            &[IoSlice::new(&request)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
    }
    Ok(())
}
