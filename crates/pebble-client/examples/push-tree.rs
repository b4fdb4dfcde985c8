//! Copies a directory of this machine into a workload: directories and files with their modes. What cannot be copied is
//! told at the end, and the rest is copied all the same. Symbolic links and special files are left out.
//!
//! `PEBBLE_SOCKET=... cargo run -p pebble-client --example push-tree -- site /srv/site`

#[path = "support/socket.rs"]
mod socket;

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use pebble_client::{Client, MakeDir, WriteFile};
use tokio::fs::File;

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command line program"
)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &words[..] else {
        eprintln!("usage: push-tree DIRECTORY PATH-IN-THE-WORKLOAD");
        return ExitCode::FAILURE;
    };
    let client = Client::new(socket::path());
    let mut copy = Copy {
        client,
        files: 0,
        failures: Vec::new(),
    };
    Box::pin(copy.directory(Path::new(from), to)).await;
    println!("{} files copied", copy.files);
    for failure in &copy.failures {
        eprintln!("{failure}");
    }
    ExitCode::from(u8::from(!copy.failures.is_empty()))
}

struct Copy {
    client: Client,
    files: u64,
    failures: Vec<String>,
}

impl Copy {
    async fn directory(&mut self, from: &Path, to: &str) {
        let made = MakeDir::new(to).make_parents(true);
        let failed = self.client.make_dir(made).await.err();
        let entries = match (failed, std::fs::read_dir(from)) {
            (None, Ok(entries)) => entries,
            (Some(error), _) => return self.failures.push(socket::chain(&error)),
            (None, Err(error)) => return self.fail(from, &error),
        };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else {
                self.failures
                    .push(format!("{}: the name is not UTF-8", path.display()));
                continue;
            };
            let to = format!("{}/{name}", to.trim_end_matches('/'));
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => Box::pin(self.directory(&path, &to)).await,
                Ok(metadata) if metadata.is_file() => self.file(&path, &to, &metadata).await,
                Ok(_) => {}
                Err(error) => self.fail(&path, &error),
            }
        }
    }

    async fn file(&mut self, from: &Path, to: &str, metadata: &Metadata) {
        let content = match File::open(from).await {
            Ok(content) => content,
            Err(error) => return self.fail(from, &error),
        };
        let file = WriteFile::new(to).permissions(metadata.permissions().mode() & 0o777);
        match self.client.push(file, content).await {
            Ok(()) => self.files += 1,
            Err(error) => self.failures.push(socket::chain(&error)),
        }
    }

    fn fail(&mut self, path: &Path, error: &std::io::Error) {
        self.failures.push(format!("{}: {error}", path.display()));
    }
}
