//! The last of what the tools say, and which line of it is the cause.

use secrecy::{ExposeSecret, SecretString};

use super::failure::printable;
use crate::backup::limits::MAX_LOG_TAIL_BYTES;

/// The last lines of what tools say, with a bound, secrets taken out.
#[derive(Debug, Default)]
pub(in crate::backup) struct LogTail {
    text: String,
    secrets: Vec<SecretString>,
}

impl LogTail {
    /// Tools are not known to repeat secrets; should one do so, it goes no further than this.
    pub(in crate::backup) fn without(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let secrets = secrets.into_iter();
        Self {
            text: String::new(),
            secrets: secrets
                .filter(|secret| !secret.expose_secret().is_empty())
                .collect(),
        }
    }

    pub(in crate::backup) fn push(&mut self, line: &str) {
        // Line by line: what is cut off later cannot leave half a secret.
        let line = self.secrets.iter().fold(line.to_owned(), |line, secret| {
            line.replace(secret.expose_secret(), "[redacted]")
        });
        self.text.push_str(&line);
        self.text.push('\n');
        if self.text.len() > 2 * MAX_LOG_TAIL_BYTES {
            let mut cut = self.text.len() - MAX_LOG_TAIL_BYTES;
            while !self.text.is_char_boundary(cut) {
                cut += 1;
            }
            self.text.drain(..cut);
        }
    }

    pub(in crate::backup) fn into_text(self) -> String {
        self.text
    }
}

/// What a stage that ended with `status` said itself: others go on to talk of the pipe that broke. Without such a line the
/// last one that tells anything, but for aws, whose line would be taken for what the S3 server said: then nothing.
pub(in crate::backup) fn words_of(stage: &str, status: i32, log_tail: &str) -> String {
    let own = |line: &&str| {
        is_of(stage, line)
            && match stage {
                "tar" => {
                    !line.contains("Exiting with failure status")
                        && !line.contains("Error is not recoverable")
                        && (status == 1 || !is_change(line))
                }
                "aws" => line.contains("failed:") || line.to_lowercase().contains("error"),
                _ => true,
            }
    };
    let lines = || log_tail.lines().rev().map(str::trim);
    let lines =
        || lines().filter(|line| !line.is_empty() && (stage != "aws" || is_of(stage, line)));
    let telling = |line: &&str| !line.contains("Broken pipe");
    let found = lines()
        .filter(telling)
        .find(own)
        .or_else(|| lines().filter(telling).find(|line| !is_change(line)))
        .or_else(|| lines().next());
    let found = found.unwrap_or_default();
    printable(found.strip_prefix(OURS).unwrap_or(found))
}

/// Whether a line is that of a stage; aws has no mark of its own.
pub(in crate::backup) fn is_of(stage: &str, line: &str) -> bool {
    let begins = |marks: &[&str]| marks.iter().any(|mark| line.starts_with(mark));
    match stage {
        "tar" => begins(&["tar: "]),
        "gpg" => begins(&["gpg: "]),
        "zstd" => begins(ZSTD),
        "aws" => !begins(&["tar: ", "gpg: ", "bash: ", "setpriv: ", OURS, SHELL]) && !begins(ZSTD),
        _ => begins(&[OURS]),
    }
}

/// Whether tar says that a file changed or went while it was read, which media does.
pub(in crate::backup) fn is_change(diagnostic: &str) -> bool {
    diagnostic.starts_with("tar: ")
        && [
            "file changed as we read it",
            "File removed before we read it",
            "File shrank by",
        ]
        .iter()
        .any(|words| diagnostic.contains(words))
}

const OURS: &str = "synapse-charm: ";
/// A script's name, as bash has it before a complaint of its own.
const SHELL: &str = "synapse-charm-";
const ZSTD: &[&str] = &["zstd", "/*stdin*\\"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_failed_stages_own_and_name_the_file() {
        let log = "tar: data/x: file changed as we read it\n\
                   tar: data/media_store/local_content/aa/zz: Cannot open: Permission denied\n\
                   tar: data/y: File removed before we read it\n\
                   tar: Exiting with failure status due to previous errors\n";
        assert_eq!(
            words_of("tar", 2, log),
            "tar: data/media_store/local_content/aa/zz: Cannot open: Permission denied"
        );
        assert_eq!(
            words_of("tar", 1, log),
            "tar: data/y: File removed before we read it"
        );
        let log = "synapse-charm: free space on the data volume fell under 5 bytes\n\
                   gpg: filter_flush failed on close: Broken pipe\n\
                   gpg: [stdin]: encryption failed: Broken pipe\n";
        assert_eq!(
            words_of("relay", 74, log),
            "free space on the data volume fell under 5 bytes"
        );
        let log =
            "upload failed: - to s3://b/x An error occurred (AccessDenied)\ngpg: Broken pipe\n\n";
        assert_eq!(
            words_of("aws", 1, log),
            "upload failed: - to s3://b/x An error occurred (AccessDenied)"
        );
        let log = "download failed: s3://b/x to - Connection was closed\n\
                   gpg: decrypt_message failed: Unknown system error\n";
        assert_eq!(
            words_of("aws", 1, log),
            "download failed: s3://b/x to - Connection was closed"
        );
        let log = "gpg: decrypt_message failed: Unknown system error\nsynapse-charm: an error\n";
        assert_eq!(words_of("aws", 1, log), "");
        assert_eq!(
            words_of("aws", 255, "Unable to locate credentials\ngpg: x\n"),
            "Unable to locate credentials"
        );
        assert_eq!(words_of("zstd", 1, "a\nzstd: b\ngpg: c\n"), "zstd: b");
        assert_eq!(words_of("gpg", 2, "gpg: Broken pipe\n"), "gpg: Broken pipe");
    }

    #[test]
    fn log_tail_is_bounded_and_has_no_secrets_nor_halves_of_them() {
        let mut tail = LogTail::without(["secret-key-1", "geheim", ""].map(SecretString::from));
        for _ in 0..10_000 {
            tail.push("é secret-key-1 geheim");
        }
        let text = tail.into_text();
        assert!(text.len() < 4 * MAX_LOG_TAIL_BYTES);
        for part in ["secret", "key-1", "geh", "heim"] {
            assert!(!text.contains(part), "{part}");
        }
    }

    #[test]
    fn changes_that_tar_saw_are_told_from_its_errors() {
        assert!(is_change("tar: data/x: File removed before we read it"));
        assert!(!is_change("tar: data/x: Cannot open: Permission denied"));
    }
}
