//! Which stage is to blame when a backup cannot be brought.

use std::collections::BTreeMap;

use super::report::Verdict;
use crate::backup::job::{NextStep, Stage, StagingError, words_of};

/// A shell's status of a program that was ended by SIGPIPE: those after it stopped reading.
const BROKEN_PIPE: i32 = 141;

/// The programs refuse a backup with this ...
const REFUSED: i32 = 65;

/// ... and end with this when there is less of it than there must be, which whoever was before them may explain.
const ENDED_EARLY: i32 = 66;

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
            let mark = if name == "aws" { "failed:" } else { name };
            let mut own = self.log_tail.lines().filter(|line| line.contains(mark));
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
            None => {
                let message = format!(
                    "the {archive} archive is refused: it is not one encrypted message and nothing beside it"
                );
                let next = "restore another backup; somebody has put this object into the bucket";
                let error = StagingError::new(Stage::Program("gpg"), message, next);
                Some(error.with_log(self.log_tail).blaming_backup())
            }
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
                let message = format!("the {archive} archive is damaged: {said}");
                StagingError::new(stage, message, OTHER_BACKUP).blaming_backup()
            }
            ("extract" | "examine", REFUSED | ENDED_EARLY) => {
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
                let message = format!(
                    "{name} of the {archive} archive failed with exit code {status}: {said}"
                );
                StagingError::new(stage, message, next_step_of(name, &said))
            }
        };
        error.with_log(self.log_tail)
    }

    fn of_gpg(&self, archive: &str, said: &str) -> StagingError {
        let stage = Stage::Program("gpg");
        let is_encrypted = self.status("gpg") == 2 && !said.contains("no valid OpenPGP data");
        if !self.verdict.opened && !self.is_passphrase_proven && is_encrypted {
            let message = format!("the passphrase does not open the {archive} archive: {said}");
            let next = NextStep::then_again("set the passphrase that the backup was made with");
            return StagingError::new(stage, message, next);
        }
        let message = format!("the {archive} archive is damaged or cut: {said}");
        StagingError::new(stage, message, OTHER_BACKUP).blaming_backup()
    }
}

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
    fn message_that_nobody_encrypted_is_refused_though_all_stages_succeeded() {
        let error = end(&[("aws", 0), ("gpg", 0), ("extract", 0)], "")
            .failure("media")
            .unwrap();
        assert!(
            error.blames_backup() && error.to_string().contains("not one encrypted message"),
            "{error}"
        );
    }

    #[test]
    fn passphrase_is_blamed_only_while_nothing_proves_it() {
        let stages = [("gpg", 2), ("extract", 66)];
        let log = "gpg: decryption failed: Bad session key";
        let error = end(&stages, log).failure("legacy").unwrap();
        assert!(
            !error.blames_backup() && error.to_string().contains("passphrase"),
            "{error}"
        );
        let proven = End {
            is_passphrase_proven: true,
            ..end(&stages, log)
        };
        let error = proven.failure("state").unwrap();
        assert!(
            error.blames_backup() && error.to_string().contains("damaged"),
            "{error}"
        );
    }
}
