//! Which stage is to blame when a backup cannot be brought.

use std::collections::BTreeMap;

use super::report::Verdict;
use crate::backup::job::{NextStep, Stage, StagingError, is_of, words_of};

/// A shell's status of a program that was ended by SIGPIPE: those after it stopped reading.
const BROKEN_PIPE: i32 = 141;

/// The programs refuse a backup with this ...
const REFUSED: i32 = 65;

/// ... and end with this when there is less of it than there must be, which whoever was before them may explain.
const ENDED_EARLY: i32 = 66;

/// ... and with this when it is another server's.
const ANOTHERS: i32 = 68;

/// The stages in the order in which bytes pass them.
const STAGES: [&str; 5] = ["aws", "gpg", "zstd", "extract", "examine"];

/// How a pipeline ended.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    pub(super) stages: BTreeMap<String, i32>,
    pub(super) verdict: Verdict,
    pub(super) log_tail: String,
    /// The passphrase has opened the backup's canary.
    pub(super) is_passphrase_proven: bool,
}

impl End {
    fn status(&self, name: &str) -> i32 {
        self.stages.get(name).copied().unwrap_or(0)
    }

    /// A stage that failed because one behind it had stopped reading.
    fn followed(&self, index: usize) -> bool {
        let name = STAGES[index];
        let says_so = || {
            let mut own = self.log_tail.lines().filter(|line| is_of(name, line));
            own.any(|line| line.contains("Broken pipe"))
        };
        let later_failed = STAGES[index + 1..]
            .iter()
            .any(|name| self.status(name) != 0);
        later_failed && (self.status(name) == BROKEN_PIPE || says_so())
    }

    /// The stage that is the first real cause, and its status: one that was killed; else the first that failed of itself.
    fn first_cause(&self) -> Option<(&'static str, i32)> {
        let failed = |name: &&'static str| {
            let status = self.status(name);
            (status != 0).then_some((*name, status))
        };
        let killed = STAGES.iter().filter_map(failed);
        let killed = killed
            .clone()
            .find(|(_, status)| *status > 128 && *status != BROKEN_PIPE);
        let of_itself = || {
            let indexed = STAGES.iter().enumerate();
            let own = indexed.filter(|(index, _)| !self.followed(*index));
            own.map(|(_, name)| name).find_map(failed)
        };
        killed
            .or_else(of_itself)
            .or_else(|| STAGES.iter().rev().find_map(failed))
    }

    /// Why the archive does not count; `None` when it does.
    pub(super) fn failure(self, archive: &str) -> Option<StagingError> {
        match self.first_cause() {
            Some(cause) => Some(self.of_stage(archive, cause)),
            None if self.verdict.whole => None,
            None => Some(self.of_gpg(archive, "").with_log(self.log_tail)),
        }
    }

    fn of_stage(self, archive: &str, (name, status): (&'static str, i32)) -> StagingError {
        let said = words_of(name, status, &self.log_tail);
        let stage = Stage::Program(name);
        let error = match (name, status) {
            (name, 129..) => {
                let message = format!(
                    "{name} of the {archive} archive was ended by signal {}",
                    status - 128
                );
                let next = if status == 137 {
                    NextStep::then_again("look whether the container ran out of memory")
                } else {
                    NextStep::again()
                };
                StagingError::new(stage, message, next)
            }
            ("gpg", _) => self.of_gpg(archive, &said),
            ("zstd", _) => {
                let message = format!(
                    "the {archive} archive is refused: zstd cannot read it, it is damaged or cut ({said})"
                );
                StagingError::new(stage, message, OTHER_BACKUP).blaming_backup()
            }
            ("examine", REFUSED) if archive == "legacy" => {
                StagingError::new(stage, said, PARTS_OF_LEGACY).blaming_backup()
            }
            // Nothing but the content tells whose it is, and there it may be good.
            ("extract" | "examine", ANOTHERS) if archive == "legacy" => {
                StagingError::new(stage, said, "restore and verify it where it was made")
            }
            ("extract" | "examine", REFUSED | ENDED_EARLY | ANOTHERS) => {
                StagingError::new(stage, said, OTHER_BACKUP).blaming_backup()
            }
            ("extract" | "examine", 74) => {
                let next =
                    NextStep::then_again("make the volume larger or remove what is not needed");
                StagingError::new(stage, said, next)
            }
            ("extract" | "examine", 73) => {
                let next = NextStep::then_again("look what the volume allows user 991");
                StagingError::new(stage, said, next)
            }
            _ => {
                let colon = if said.is_empty() { "" } else { ": " };
                let message = format!(
                    "{name} of the {archive} archive failed with exit code {status}{colon}{said}"
                );
                StagingError::new(stage, message, next_step_of(name, &said))
            }
        };
        error.with_log(self.log_tail)
    }

    /// What gpg's status lines and its exit code mean together.
    fn of_gpg(&self, archive: &str, said: &str) -> StagingError {
        let has = |word| self.verdict.has(word);
        let is_message = has("NEED_PASSPHRASE_SYM") || has("BEGIN_DECRYPTION");
        let fault = if has("ENC_TO") {
            "it was encrypted for a public key"
        } else if has("PLAINTEXT") && !is_message {
            "it is not encrypted"
        } else if !is_message {
            "it is no message of gpg, or cut at its beginning"
        } else if self.log_tail.contains("not integrity protected") {
            "it has no protection of its integrity"
        } else if has("PLAINTEXT") && has("NODATA") {
            "something lies behind the encrypted message, or the message is damaged"
        } else if !has("PLAINTEXT") && has("BEGIN_DECRYPTION") {
            return self.of_passphrase(archive, said);
        } else {
            "it is damaged or cut"
        };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!(" ({said})")
        };
        let message = format!("the {archive} archive is refused: {fault}{said}");
        StagingError::new(Stage::Program("gpg"), message, OTHER_BACKUP).blaming_backup()
    }

    /// gpg cannot tell a wrong passphrase from a damaged beginning.
    fn of_passphrase(&self, archive: &str, said: &str) -> StagingError {
        let stage = Stage::Program("gpg");
        if self.is_passphrase_proven {
            let message = format!(
                "the {archive} archive is refused: it is damaged or cut, or was encrypted with another passphrase than the \
                 backup's canary ({said})"
            );
            return StagingError::new(stage, message, OTHER_BACKUP).blaming_backup();
        }
        let message = format!(
            "the passphrase does not open the {archive} archive, or it is damaged ({said})"
        );
        let next = NextStep::then_again("set the passphrase that the backup was made with");
        StagingError::new(stage, message, next)
    }
}

/// What the Python charm copied of a running database is often damaged, and its backups are not made again.
const PARTS_OF_LEGACY: &str = "restore another backup: verify-backup tells which are good; or run restore-backup with \
                               components=keys for the keys of this one, and take its media out by hand with gpg and tar";
const OTHER_BACKUP: &str = "restore another backup: verify-backup tells which are good";

fn next_step_of(name: &str, said: &str) -> NextStep {
    match name {
        "aws" if said.contains("(404)") || said.contains("NoSuchKey") => {
            "look whether somebody deleted the backup; list-backups shows those that are there"
                .into()
        }
        "aws" if said.contains("(403)") || said.contains("AccessDenied") => {
            "allow this key to read objects under the path".into()
        }
        "aws" if said.contains("SSL") => {
            "give the certificate of the server's authority as s3_tls_ca_chain".into()
        }
        "aws" => NextStep::then_again(
            "check that the S3 server can be reached from the workload container",
        ),
        _ => NextStep::again(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(stages: &[(&str, i32)], log_tail: &str) -> End {
        let stages = stages
            .iter()
            .map(|(name, status)| ((*name).to_owned(), *status));
        End {
            stages: stages.collect(),
            log_tail: log_tail.to_owned(),
            ..End::default()
        }
    }

    #[test]
    fn another_servers_legacy_backup_is_refused_and_not_called_bad() {
        let of = |archive: &str| {
            let found = end(
                &[("extract", ANOTHERS)],
                "synapse-charm: its signing key is that of b",
            );
            found.failure(archive).unwrap()
        };
        assert!(!of("legacy").blames_backup());
        assert!(of("state").blames_backup());
    }

    #[test]
    fn cause_is_the_stage_that_failed_of_itself() {
        let cause = |stages, log| end(stages, log).first_cause();
        assert_eq!(cause(&[("aws", 0), ("gpg", 0), ("extract", 0)], ""), None);
        let lost = "download failed: s3://b/x to - Connection was closed\ngpg: WARNING: encrypted message has been manipulated!";
        let stages = [("aws", 1), ("gpg", 2), ("extract", 66)];
        assert_eq!(cause(&stages, lost), Some(("aws", 1)));
        assert_eq!(cause(&[("gpg", 2), ("extract", 66)], ""), Some(("gpg", 2)));
        let broken = "download failed: s3://b/x to - [Errno 32] Broken pipe\ngpg: error writing to '-': Broken pipe";
        assert_eq!(
            cause(&[("aws", 1), ("gpg", 2), ("extract", 65)], broken),
            Some(("extract", 65))
        );
        let broken = "download failed: s3://b/x to - [Errno 32] Broken pipe\ngpg: decryption failed: Bad session key";
        assert_eq!(
            cause(&[("aws", 1), ("gpg", 2), ("extract", 66)], broken),
            Some(("gpg", 2))
        );
        let killed = [("aws", 1), ("gpg", 137), ("extract", 66)];
        assert_eq!(cause(&killed, broken), Some(("gpg", 137)));
        assert_eq!(
            cause(&[("aws", 141), ("gpg", 141), ("extract", 74)], ""),
            Some(("extract", 74))
        );
    }

    #[test]
    fn line_behind_a_failed_aws_is_its_own_or_none() {
        let stages = [("aws", 1), ("gpg", 2), ("extract", 66)];
        let said = |log_tail| {
            let error = end(&stages, log_tail).failure("state").unwrap();
            assert!(!error.blames_backup());
            error.with_next_step()
        };
        let gpg = "gpg: decrypt_message failed: Broken pipe\n\
                   gpg: decrypt_message failed: Unknown system error\n";
        assert_eq!(
            said(gpg),
            "no backup was made (aws): aws of the state archive failed with exit code 1; check that the S3 server can be \
             reached from the workload container, then run create-backup again"
        );
        let lost = format!("download failed: s3://b/x to - Connection was closed\n{gpg}");
        assert!(
            said(&lost).contains("exit code 1: download failed: s3://b/x to - Connection was closed; check that the S3 server"),
            "{}",
            said(&lost)
        );
    }

    fn verdict(words: &[&str]) -> Verdict {
        let words = words.iter().map(|word| ((*word).to_owned(), 1));
        Verdict {
            whole: false,
            words: words.collect(),
        }
    }

    fn fault(words: &[&str], log_tail: &str) -> StagingError {
        let end = End {
            verdict: verdict(words),
            ..end(&[("gpg", 2), ("extract", 66)], log_tail)
        };
        end.failure("media").unwrap()
    }

    #[test]
    fn what_gpg_takes_but_nobody_encrypted_is_refused() {
        let stages = [("aws", 0), ("gpg", 0), ("extract", 0)];
        let open = End {
            verdict: verdict(&["PLAINTEXT"]),
            ..end(&stages, "")
        };
        let error = open.failure("media").unwrap();
        assert!(
            error.blames_backup() && error.to_string().contains("not encrypted"),
            "{error}"
        );
        let whole = Verdict {
            whole: true,
            ..verdict(&[])
        };
        let good = End {
            verdict: whole,
            ..end(&stages, "")
        };
        assert!(good.failure("media").is_none());
    }

    #[test]
    fn faults_that_gpg_sees_are_told_apart() {
        let rows: [(&[&str], &str, &str); 5] = [
            (
                &["ENC_TO", "BEGIN_DECRYPTION"],
                "gpg: decryption failed: No secret key",
                "public key",
            ),
            (
                &["NODATA"],
                "gpg: no valid OpenPGP data found.",
                "no message of gpg",
            ),
            (
                &["NEED_PASSPHRASE_SYM", "BEGIN_DECRYPTION", "PLAINTEXT"],
                "gpg: WARNING: message was not integrity protected",
                "integrity",
            ),
            (
                &[
                    "NEED_PASSPHRASE_SYM",
                    "BEGIN_DECRYPTION",
                    "PLAINTEXT",
                    "NODATA",
                ],
                "",
                "behind",
            ),
            (
                &[
                    "NEED_PASSPHRASE_SYM",
                    "BEGIN_DECRYPTION",
                    "PLAINTEXT",
                    "BADMDC",
                ],
                "",
                "damaged or cut",
            ),
        ];
        for (words, log_tail, told) in rows {
            let error = fault(words, log_tail);
            assert!(
                error.blames_backup() && error.to_string().contains(told),
                "{error}"
            );
        }
    }

    #[test]
    fn passphrase_is_blamed_only_while_nothing_proves_it() {
        let log = "gpg: decryption failed: Bad session key";
        let words = ["NEED_PASSPHRASE_SYM", "BEGIN_DECRYPTION"];
        let error = fault(&words, log);
        assert!(
            !error.blames_backup() && error.to_string().contains("passphrase does not open"),
            "{error}"
        );
        let proven = End {
            is_passphrase_proven: true,
            verdict: verdict(&words),
            ..end(&[("gpg", 2), ("extract", 66)], log)
        };
        let error = proven.failure("state").unwrap();
        assert!(
            error.blames_backup() && error.to_string().contains("damaged"),
            "{error}"
        );
    }
}
