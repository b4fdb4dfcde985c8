//! Which of the programs that a job needs the workload's image has.

use std::fmt;
use std::time::Duration;

use pebble_client::{Client, ExitStatus};
use serde::{Deserialize, Serialize};

use super::limits::DATA_UID;

const SCRIPT: &str = concat!(
    include_str!("scripts/ground.sh"),
    include_str!("scripts/probe.sh")
);
const DEADLINE: Duration = Duration::from_mins(1);

/// What was found. It stays true for as long as the image does, so it can be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadTools {
    /// `/aws/dist/aws`, or the path of `aws`.
    pub aws: Option<String>,
    /// The path of the python3 that runs Synapse.
    pub python: Option<String>,
    /// The path of `zstd`; without it the state archive is not compressed.
    pub zstd: Option<String>,
    /// Synapse's version.
    pub synapse_version: Option<String>,
    /// Whether commands run as root: then what reads data drops to the data's user.
    pub root: bool,
    /// Needed programs that are missing or do not run.
    pub missing: Vec<String>,
}

/// Why the image could not be probed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProbeError {
    /// The workload did not answer.
    Workload(pebble_client::Error),
    /// There is no bash in the image.
    NoBash,
    /// The look did not come to its end.
    Ended(ExitStatus),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(_) => {
                formatter.write_str("cannot ask the workload which programs it has")
            }
            Self::NoBash => formatter
                .write_str("cannot run bash in the workload's image; use an image that has it"),
            Self::Ended(how) => write!(
                formatter,
                "looking which programs the workload has did not come to its end: {how}; run the action again"
            ),
        }
    }
}

impl std::error::Error for ProbeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Workload(error) => Some(error),
            Self::NoBash | Self::Ended(_) => None,
        }
    }
}

/// Runs each program once, but for aws, whose start takes about half a second: it is only looked at.
///
/// # Errors
/// When the workload does not answer or has no bash. A missing program is no error here: see
/// [`WorkloadTools::missing`].
pub async fn probe(container: &Client) -> Result<WorkloadTools, ProbeError> {
    let ran = container
        .exec(["bash", "-c", SCRIPT, "synapse-charm-probe"])
        .environment("DATA_UID", DATA_UID.to_string())
        .working_dir("/")
        .timeout(DEADLINE)
        .output_limit_bytes(64 * 1024)
        .output()
        .await;
    match ran {
        Ok(output) if output.status.success() => {
            Ok(parse(&String::from_utf8_lossy(&output.stdout)))
        }
        Ok(output) => Err(match output.status {
            ExitStatus::Exited(_) | ExitStatus::FailedToStart => ProbeError::NoBash,
            how => ProbeError::Ended(how),
        }),
        Err(error) if error.is_not_found() => Err(ProbeError::NoBash),
        Err(error) => Err(ProbeError::Workload(error)),
    }
}

fn parse(said: &str) -> WorkloadTools {
    let mut tools = WorkloadTools::default();
    let mut found = Vec::new();
    for line in said.lines() {
        let mut fields = line.splitn(3, '\t');
        let (Some(name), Some(value), text) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let text = text.map(|text| {
            text.chars()
                .filter(|letter| !letter.is_control())
                .take(200)
                .collect()
        });
        match name {
            "uid" => tools.root = value == "0",
            "aws" => tools.aws = Some(value.to_owned()),
            "python" => tools.python = Some(value.to_owned()),
            "zstd" => tools.zstd = Some(value.to_owned()),
            "synapse" => tools.synapse_version = text,
            _ => {}
        }
        found.push(name);
    }
    let needed = ["aws", "python", "tar", "gpg", "flock", "base64", "nice"];
    let as_root = tools.root.then_some("setpriv");
    let missing = needed
        .into_iter()
        .chain(as_root)
        .filter(|name| !found.contains(name));
    tools.missing = missing
        .map(|name| if name == "python" { "python3" } else { name }.to_owned())
        .collect();
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_and_setpriv_matters_to_root_only() {
        let tools =
            parse("uid\t0\t\naws\t/aws/dist/aws\t\ngpg\t/usr/bin/gpg\tgpg\nsynapse\t\t1.163.2\n");
        assert_eq!(tools.aws.as_deref(), Some("/aws/dist/aws"));
        assert_eq!(tools.synapse_version.as_deref(), Some("1.163.2"));
        assert!(tools.root && tools.zstd.is_none());
        assert_eq!(
            tools.missing,
            ["python3", "tar", "flock", "base64", "nice", "setpriv"]
        );
        assert!(
            !parse("uid\t991\t\n")
                .missing
                .contains(&"setpriv".to_owned())
        );
    }
}
