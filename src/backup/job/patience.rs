//! Hours of upload are not given up for one answer that is late.

use std::time::{Duration, Instant};

use crate::backup::limits::S3_PATIENCE;
use crate::backup::s3_error::S3Error;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Asks again, less and less often, for as long as the server does not answer or fails; for ten minutes.
pub(in crate::backup) async fn patiently<T>(
    ask: impl AsyncFnMut() -> Result<T, S3Error>,
) -> Result<T, S3Error> {
    ask_again(FIRST_PAUSE, S3_PATIENCE, ask).await
}

async fn ask_again<T>(
    first_pause: Duration,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, S3Error>,
) -> Result<T, S3Error> {
    let deadline = Instant::now() + limit;
    let mut pause = first_pause;
    loop {
        match ask().await {
            Err(error) if error.kind().is_passing() && Instant::now() + pause < deadline => {
                tracing::warn!("{error}; it is tried again in {} s", pause.as_secs());
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::s3_error::S3ErrorKind;

    const SHORT: Duration = Duration::from_millis(1);

    async fn asked(
        limit: Duration,
        succeed_at: u32,
        kind: S3ErrorKind,
    ) -> (u32, Result<(), S3Error>) {
        let mut asked = 0;
        let answer = ask_again(SHORT, limit, async || {
            asked += 1;
            if asked == succeed_at {
                Ok(())
            } else {
                Err(S3Error::new(kind, "test", ""))
            }
        });
        let answer = answer.await;
        (asked, answer)
    }

    #[tokio::test]
    async fn server_that_does_not_answer_is_asked_again_until_the_limit() {
        let (count, answer) = asked(S3_PATIENCE, 5, S3ErrorKind::Unreachable).await;
        assert!(answer.is_ok() && count == 5, "{count}");
        let (count, answer) = asked(SHORT * 50, 0, S3ErrorKind::Server).await;
        assert_eq!(answer.unwrap_err().kind(), S3ErrorKind::Server);
        assert!(count > 1, "{count}");
    }

    #[tokio::test]
    async fn server_that_refuses_is_not_asked_again() {
        let (count, answer) = asked(S3_PATIENCE, 0, S3ErrorKind::AccessDenied).await;
        assert!(answer.is_err() && count == 1, "{count}");
    }
}
