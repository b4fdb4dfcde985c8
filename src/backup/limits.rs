//! Every limit of the backup, named once.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// How long a backup may take unless the option says otherwise.
pub const DEFAULT_MAX_DURATION: Duration = Duration::from_hours(12);

/// A pipeline through which no byte moved for this long is ended.
pub const STALL: Duration = Duration::from_mins(10);

/// After the last byte went to aws it may still hold some dozens of megabytes, and it has timeouts of its own; this ends
/// what those do not, such as a server that takes a byte a minute.
pub const UPLOAD_TAIL: Duration = Duration::from_hours(1);

/// A probe of the bucket from a hook.
pub const PROBE: Duration = Duration::from_secs(10);

/// Any other single S3 request.
pub const S3_REQUEST: Duration = Duration::from_secs(30);

/// Time for a TCP and TLS connection to the S3 server.
pub const S3_CONNECT: Duration = Duration::from_secs(3);

/// Time for the S3 server's first byte of an answer; a probe is ended earlier.
pub const S3_READ: Duration = Duration::from_secs(15);

/// The same for what is asked after hours of upload.
pub const S3_PATIENT_READ: Duration = Duration::from_secs(30);

/// How long a finished upload is not given up because the S3 server does not answer.
pub const S3_PATIENCE: Duration = Duration::from_mins(10);

/// Attempts of one S3 request, the first included.
pub const S3_ATTEMPTS: u32 = 2;

/// How often the heartbeat object is written.
pub const HEARTBEAT: Duration = Duration::from_mins(1);

/// So many heartbeats in a row may fail before the job ends ...
pub const MISSED_HEARTBEATS: u32 = 10;

/// ... and so many when S3 refuses them for a reason that does not pass.
pub const REFUSED_HEARTBEATS: u32 = 2;

/// A heartbeat younger than this, by the S3 server's clock, means in progress.
pub const HEARTBEAT_IS_FRESH: Duration = Duration::from_mins(5);

/// A clock further off the S3 server's than this is worth a warning.
pub const CLOCK_SKEW_WARNING: Duration = Duration::from_mins(5);

/// What clean-up after a job may take: a pod has 30 s of grace.
pub const CLEAN_UP: Duration = Duration::from_secs(20);

/// Folders of dead jobs are swept when they are older than this.
pub const SWEEP_AFTER: Duration = Duration::from_hours(1);

/// How often the watchdog looks and progress may be logged.
pub const TICK: Duration = Duration::from_millis(500);

/// Lines a job may send to the action's log: Juju drops what exceeds about 1,000.
pub const ACTION_LOG_LINES: usize = 200;

/// Concurrent requests of each aws process: more gain nothing.
pub const CONCURRENT_REQUESTS: u32 = 2;

/// Part size while the size allows.
pub const PART_SIZE_BYTES: u64 = 8 * MIB;

/// S3 allows 10,000 parts; the rest is for growth while reading.
pub const MAX_PARTS: u64 = 9_500;

/// What aws needs beside its parts.
pub const AWS_BASE_MEMORY_BYTES: u64 = 60 * MIB;

/// Parts that aws holds at once.
pub const AWS_PARTS_IN_MEMORY: u64 = 8;

/// The result says so when aws needs more than this.
pub const MEMORY_WORTH_TELLING_BYTES: u64 = 400 * MIB;

/// The specification's default for a size that nobody measured.
pub const DEFAULT_EXPECTED_SIZE_BYTES: u64 = 10_000_000_000;

/// A snapshot needs this many hundredths of the database's size.
pub const SNAPSHOT_ROOM_PERCENT: u64 = 110;

/// Room that a job leaves free on the volume: this many hundredths of it ...
pub const RESERVE_PERCENT: u64 = 5;

/// ... and at most this much.
pub const MAX_RESERVE_BYTES: u64 = 1024 * MIB;

/// Media may grow by this part of itself while it is read ...
pub const GROWTH_DIVISOR: u64 = 20;

/// ... and by this much in any case; a restore takes a little more than both.
pub const LEAST_GROWTH_BYTES: u64 = 1_000_000;

/// Room that a file or folder takes beside its content.
pub const BYTES_A_FILE: u64 = 4096;

/// What `list-backups` may answer with; Juju passes a result as one argument.
pub const MAX_LIST_BYTES: usize = 100 * 1024;

/// Backups that `list-backups` shows unless told otherwise.
pub const DEFAULT_LIST_LIMIT: usize = 100;

/// Small objects (owner, markers, canary) are never larger.
pub const MAX_SMALL_OBJECT_BYTES: u64 = 256 * 1024;

/// What is kept of the tools' messages.
pub const MAX_LOG_TAIL_BYTES: usize = 8 * 1024;

/// S3's limit of a key is 1,024 bytes; the rest is for our own names.
pub const MAX_PATH_BYTES: usize = 800;

/// The certificates reach the workload in one variable, and Linux limits one to 128 KiB.
pub const MAX_CA_CHAIN_BYTES: usize = 100 * 1024;

/// The user and group that own Synapse's data.
pub const DATA_UID: u32 = 991;

/// Smallest part that stays under [`MAX_PARTS`], in bytes, never under [`PART_SIZE_BYTES`].
///
/// # Example
/// ```
/// use synapse_charm::backup::limits::{PART_SIZE_BYTES, part_size_bytes};
///
/// assert_eq!(part_size_bytes(1_000_000), PART_SIZE_BYTES);
/// assert!(500_000_000_000_u64.div_ceil(part_size_bytes(500_000_000_000)) <= 9_500);
/// ```
pub fn part_size_bytes(expected_size_bytes: u64) -> u64 {
    let smallest = expected_size_bytes.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    smallest.max(PART_SIZE_BYTES)
}

/// What one aws process needs for parts of this size.
pub fn aws_memory_bytes(part_size_bytes: u64) -> u64 {
    AWS_BASE_MEMORY_BYTES + AWS_PARTS_IN_MEMORY * part_size_bytes
}

/// Room to leave free on a volume of this size.
pub fn reserve_bytes(volume_bytes: u64) -> u64 {
    (volume_bytes / 100 * RESERVE_PERCENT).min(MAX_RESERVE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_huge_archives_stay_under_the_limit_and_memory_is_told() {
        assert_eq!(part_size_bytes(75_000_000_000), PART_SIZE_BYTES);
        let part = part_size_bytes(2_000_000_000_000);
        assert!(2_000_000_000_000_u64.div_ceil(part) <= MAX_PARTS);
        assert!(aws_memory_bytes(part) > MEMORY_WORTH_TELLING_BYTES);
        assert!(aws_memory_bytes(PART_SIZE_BYTES) < 130 * MIB);
    }

    #[test]
    fn reserve_is_five_percent_up_to_a_gibibyte() {
        assert_eq!(reserve_bytes(10 * 1024 * MIB), 10 * 1024 * MIB / 100 * 5);
        assert_eq!(reserve_bytes(1 << 50), 1024 * MIB);
    }
}
