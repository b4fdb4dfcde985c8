//! The examples as a person uses them, `pebble-exec` in a real terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pebble_client::LayerMode;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::daemon::{Daemon, send_signal};

const LONG: Duration = Duration::from_secs(30);

/// Where the example of this name was built.
pub(crate) fn program(name: &str) -> PathBuf {
    let mut program: PathBuf = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push(format!("examples/{name}"));
    assert!(
        program.exists(),
        "{} is built with all tests of the package",
        program.display()
    );
    program
}

#[expect(clippy::disallowed_methods, reason = "the program under test")]
fn example(daemon: &Daemon, name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env("PEBBLE_SOCKET", daemon.client.socket());
    command
}

fn output_of(command: &mut Command, input: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A terminal with a program in it.
struct Terminal {
    master: File,
    slave: File,
    come: Receiver<Vec<u8>>,
    shown: String,
    child: Child,
}

impl Terminal {
    fn with(command: &Command) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        resize(&master, 91, 33);
        let slave = File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        // As a terminal's own program: its interrupts and new sizes go to it.
        #[expect(clippy::disallowed_methods, reason = "the program under test")]
        let mut wrapped = Command::new("setsid");
        wrapped
            .args(["--ctty", "--wait"])
            .arg(command.get_program());
        wrapped.args(command.get_args());
        for (name, value) in command.get_envs() {
            wrapped.env(name, value.unwrap());
        }
        let child = wrapped.stdin(end()).stdout(end()).stderr(end());
        let child = child.env("TERM", "test-term").spawn().unwrap();
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (sender, come) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master,
            slave,
            come,
            shown: String::new(),
            child,
        }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and forgets all up to there.
    fn wait_for(&mut self, wanted: &str) {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(at) = self.shown.find(wanted) {
                self.shown.drain(..at + wanted.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = self.come.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn modes(&self) -> LocalModes {
        tcgetattr(&self.slave).unwrap().local_modes
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

fn resize(master: impl std::os::fd::AsFd, width: u16, height: u16) {
    let size = Winsize {
        ws_col: width,
        ws_row: height,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).unwrap();
}

#[tokio::test]
async fn pebble_exec_in_a_terminal_is_the_commands_terminal() {
    let daemon = Daemon::start().await;
    let mut command = example(&daemon, "pebble-exec");
    command.args(["--env", "PS1=prompt# ", "sh", "-i"]);
    let mut terminal = Terminal::with(&command);
    let before = terminal.modes();
    assert!(before.contains(LocalModes::ECHO));
    terminal.wait_for("prompt# ");
    assert!(
        !terminal.modes().contains(LocalModes::ECHO),
        "keys go on as they are"
    );

    terminal.press("stty size; echo $TERM; tty | cut -c1-9\r");
    terminal.wait_for("33 91\r\ntest-term\r\n/dev/pts/\r\n");
    resize(&terminal.master, 120, 50);
    // The new size comes by a way of its own, so it is asked for until it is there.
    terminal
        .press("while [ \"$(stty size)\" != '50 120' ]; do sleep 0.1; done; echo new-\"\"size\r");
    terminal.wait_for("new-size");
    // An interrupt is one to the command in there, not to the program here.
    terminal.press("echo slee\"\"ping; sleep 1000\r");
    terminal.wait_for("sleeping");
    terminal.press("\x03");
    terminal.wait_for("prompt# ");
    terminal.press("exit 7\r");
    assert_eq!(terminal.exit_code(), Some(7));
    assert_eq!(terminal.modes(), before);
}

#[tokio::test]
async fn pebble_exec_in_a_terminal_ends_its_input_by_control_d() {
    let daemon = Daemon::start().await;
    let mut command = example(&daemon, "pebble-exec");
    command.arg("cat");
    let mut terminal = Terminal::with(&command);
    terminal.press("line\r");
    terminal.wait_for("line\r\nline\r\n");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[tokio::test]
async fn pebble_exec_in_pipes_passes_everything_on() {
    let daemon = Daemon::start().await;
    let script = "cat; echo err >&2; pwd >&2; exit 3";
    let mut command = example(&daemon, "pebble-exec");
    command.args(["-w", "/", "--", "sh", "-c", script]);
    let input = vec![b'x'; 3_000_000];
    let output = output_of(&mut command, &input);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout == input);
    assert_eq!(output.stderr, b"err\n/\n");

    let mut command = example(&daemon, "pebble-exec");
    command.args(["--timeout", "100ms", "sleep", "1000"]);
    let output = output_of(&mut command, b"");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("timed out"), "{text}");

    let mut command = example(&daemon, "pebble-exec");
    let output = output_of(command.arg("no-such-program"), b"");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no-such-program"), "{text}");
}

#[tokio::test]
async fn pebble_exec_takes_the_options_of_pebble_exec() {
    let daemon = Daemon::start().await;
    let script = "printf '%s|' \"$A\" \"$D\" \"$@\"; pwd";
    let mut command = example(&daemon, "pebble-exec");
    command.args("-w / --env=A=b=c --env D=e --timeout 1.5m -T -I sh -c".split(' '));
    let output = output_of(command.args([script, "x", "-w", "--"]), b"");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "b=c|e|-w|--|/\n");
    for (words, named) in [
        ("--nonsense 1 true", "--nonsense"),
        ("-t", "no command"),
        ("--timeout 5 true", "5 is no duration"),
        ("--uid root true", "root is no id"),
        ("--user", "--user needs a value"),
        ("--context no-such-service true", "no-such-service"),
        ("--group root true", "must specify user"),
    ] {
        let mut command = example(&daemon, "pebble-exec");
        let output = output_of(command.args(words.split(' ')), b"");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text.contains(named), "{words}: {text}");
    }
}

#[tokio::test]
async fn pebble_exec_passes_signals_on() {
    let daemon = Daemon::start().await;
    let mut command = example(&daemon, "pebble-exec");
    let script = "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.05; done";
    command.args(["sh", "-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    stdout.read_exact(&mut ready).unwrap();
    send_signal("USR1", &child.id().to_string());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "got it\n");
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[tokio::test]
async fn tail_logs_prints_what_services_write() {
    let daemon = Daemon::start().await;
    let layer =
        "services: {web: {override: replace, command: sh -c 'echo hello; exec sleep 1000'}}";
    let added = daemon.client.add_layer("test", layer, LayerMode::New);
    added.await.unwrap();
    let mut command = example(&daemon, "tail-logs");
    let mut child = command.arg("web").stdout(Stdio::piped()).spawn().unwrap();
    daemon.client.start(&["web"]).await.unwrap();
    let mut line = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let line = String::from_utf8(line).unwrap();
    assert!(line.ends_with(" [web] hello\n"), "{line}");
}

#[tokio::test]
async fn push_tree_copies_all_it_can() {
    use std::os::unix::fs::PermissionsExt;
    let daemon = Daemon::start().await;
    let from = daemon.dir.path().join("from");
    std::fs::create_dir_all(from.join("deep/er")).unwrap();
    std::fs::write(from.join("deep/er/fi le"), vec![7; 300_000]).unwrap();
    std::fs::write(from.join("run"), "x").unwrap();
    std::fs::set_permissions(from.join("run"), PermissionsExt::from_mode(0o750)).unwrap();
    // There is a directory where this is to go.
    std::fs::write(from.join("blocked"), "x").unwrap();
    let to = daemon.path("to");
    std::fs::create_dir_all(format!("{to}/blocked/full")).unwrap();

    let mut command = example(&daemon, "push-tree");
    let output = output_of(command.args([from.to_str().unwrap(), &to]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"2 files copied\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains(&format!("cannot write file {to}/blocked")),
        "{text}"
    );
    assert_eq!(
        std::fs::read(format!("{to}/deep/er/fi le")).unwrap().len(),
        300_000
    );
    let run = std::fs::metadata(format!("{to}/run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o777, 0o750);
}
