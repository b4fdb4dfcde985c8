//! The hook commands: one program under many names, which carries its arguments to the unit's agent and prints the answer.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// The answer's first byte when the command reads standard input and has not been given it.
const NEEDS_STDIN: u8 = 1;

struct Answer {
    needs_stdin: bool,
    exit_code: u8,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

fn main() -> ExitCode {
    match run() {
        Ok(answer) => {
            let written = io::stdout()
                .write_all(&answer.stdout)
                .and_then(|()| io::stderr().write_all(&answer.stderr));
            if written.is_ok() {
                ExitCode::from(answer.exit_code)
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "ERROR {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<Answer> {
    let mut argv = env::args_os();
    let program = argv.next().unwrap_or_default();
    let name = Path::new(&program)
        .file_name()
        .map(|name| name.as_bytes().to_vec())
        .unwrap_or_default();
    let mut words = vec![name];
    words.extend(argv.map(OsStringExt::into_vec));
    let variable = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| io::Error::other(format!("{name} not set")))
    };
    let context = variable("JUJU_CONTEXT_ID")?.into_vec();
    let socket = variable("JUJU_AGENT_SOCKET_ADDRESS")?;
    let folder = env::current_dir()?.into_os_string().into_vec();
    let mut answer = ask(Path::new(&socket), &context, &folder, None, &words)?;
    if answer.needs_stdin {
        let mut stdin = Vec::new();
        io::stdin().read_to_end(&mut stdin)?;
        answer = ask(Path::new(&socket), &context, &folder, Some(&stdin), &words)?;
    }
    Ok(answer)
}

/// A request is context id, folder, "1" + standard input or "0", and the words; each field follows its length (32 bits, little endian).
fn ask(
    socket: &Path,
    context: &[u8],
    folder: &[u8],
    stdin: Option<&[u8]>,
    words: &[Vec<u8>],
) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket).map_err(|error| {
        io::Error::other(format!(
            "dial unix {}: connect: {}",
            socket.display(),
            reason(&error)
        ))
    })?;
    let mut request = Vec::new();
    field(&mut request, context)?;
    field(&mut request, folder)?;
    field(&mut request, if stdin.is_some() { b"1" } else { b"0" })?;
    field(&mut request, stdin.unwrap_or_default())?;
    for word in words {
        field(&mut request, word)?;
    }
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(&request)?;
    let mut head = [0_u8; 2];
    stream.read_exact(&mut head)?;
    let [flag, exit_code] = head;
    let stdout = read_field(&mut stream)?;
    let stderr = read_field(&mut stream)?;
    Ok(Answer {
        needs_stdin: flag == NEEDS_STDIN,
        exit_code,
        stdout,
        stderr,
    })
}

fn field(request: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    request.extend(
        u32::try_from(bytes.len())
            .map_err(io::Error::other)?
            .to_le_bytes(),
    );
    request.extend(bytes);
    Ok(())
}

fn read_field(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0_u8; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}
