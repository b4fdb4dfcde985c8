//! Watching a job: tells how far it is, and ends it when it stands still or takes too long.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::failure::{JobError, NextStep, Stage};
use super::progress::{Counters, JobCounters, Progress, Teller};
use crate::backup::limits::{STALL, TICK, UPLOAD_TAIL};

/// Returns only to say why the job must end.
pub(in crate::backup) async fn watch(
    job: &JobCounters,
    deadline: Instant,
    progress: &mut dyn Progress,
) -> JobError {
    let steps = [
        ("measuring", &job.prepare),
        ("the state archive", &job.state),
        ("the media archive", &job.media),
    ];
    let mut teller = None;
    let mut life = steps.map(|(_, counters)| (counters.life(), Instant::now()));
    loop {
        tokio::time::sleep(TICK).await;
        let now = Instant::now();
        let total_bytes = job.total_bytes.load(Ordering::Relaxed);
        if total_bytes > 0 {
            let read = job.state.read() + job.media.read();
            let teller = teller.get_or_insert_with(|| Teller::new(total_bytes, now));
            if let Some(line) = teller.line(read, now) {
                progress.log(&line);
            }
        }
        for ((name, counters), last) in steps.iter().zip(&mut life) {
            if let Some(error) = stalled(name, counters, last, now) {
                return error;
            }
        }
        if now >= deadline {
            let next = "raise backup_max_duration, or look what is slow";
            return JobError::new(
                Stage::Workload,
                "it took longer than backup_max_duration",
                next,
            );
        }
    }
}

fn stalled(
    name: &str,
    counters: &Counters,
    last: &mut (u64, Instant),
    now: Instant,
) -> Option<JobError> {
    let life = counters.life();
    // A step that has not begun or has ended is not waited for here.
    if life != last.0 || life == 0 || counters.ended.load(Ordering::Relaxed) {
        *last = (life, now);
        return None;
    }
    let limit: Duration = if counters.all_sent.load(Ordering::Relaxed) {
        UPLOAD_TAIL
    } else {
        STALL
    };
    (now.duration_since(last.1) >= limit).then(|| {
        let message = format!("no byte of {name} moved for {} min", limit.as_secs() / 60);
        JobError::new(
            Stage::Workload,
            message,
            NextStep::then_again("look whether the volume's disk and the S3 server answer"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_without_life_is_stalled_and_one_that_ended_is_not() {
        let began = Instant::now();
        let counters = Counters::default();
        let mut last = (0, began);
        assert!(stalled("the media archive", &counters, &mut last, began + STALL * 2).is_none());
        counters.sent_bytes.store(5, Ordering::Relaxed);
        let seen = began + STALL * 3;
        assert!(stalled("the media archive", &counters, &mut last, seen).is_none());
        assert!(
            stalled(
                "media",
                &counters,
                &mut last,
                seen + STALL.saturating_sub(TICK)
            )
            .is_none()
        );
        let error = stalled("the media archive", &counters, &mut last, seen + STALL).unwrap();
        assert!(
            error
                .to_string()
                .contains("no byte of the media archive moved for 10 min"),
            "{error}"
        );
        counters.all_sent.store(true, Ordering::Relaxed);
        assert!(stalled("the media archive", &counters, &mut last, seen + STALL).is_none());
        counters.ended.store(true, Ordering::Relaxed);
        assert!(
            stalled(
                "the media archive",
                &counters,
                &mut last,
                seen + UPLOAD_TAIL * 2
            )
            .is_none()
        );
    }
}
