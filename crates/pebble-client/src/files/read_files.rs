//! Reading several files of the workload in one request.

use crate::Client;
use crate::client::Operation;
use crate::envelope::{self, PathResult};
use crate::error::{Error, Failure};
use crate::files::multipart::{Event, Parser};
use crate::files::of_each;
use crate::files::pull::{READ_FILE_LIMIT_BYTES, RESPONSE_LIMIT_BYTES};
use crate::transport::Answer;

impl Client {
    /// Reads several files in one request; of each it tells the content or why there is none, in their order. All of
    /// it together may be 64 MiB; [`pull`](Self::pull) is for more.
    ///
    /// # Errors
    ///
    /// What concerns the whole request, and [`TooLarge`](crate::ErrorKind::TooLarge).
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// for content in client.read_files(&["/etc/passwd", "/etc/group"]).await? {
    ///     let text = String::from_utf8_lossy(&content?).into_owned();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_files(&self, paths: &[&str]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let matched = self
            .read_all(paths)
            .await
            .operation(|| String::from("read files"))?;
        if let Some(results) = matched {
            return Ok(of_each("read file", paths.iter().copied(), results));
        }
        let mut results = Vec::new();
        for path in paths {
            results.push(self.read_file(path).await);
        }
        Ok(results)
    }

    async fn read_all(&self, paths: &[&str]) -> Result<Option<Matched>, Failure> {
        let answer = self.ask_for_files(paths).await?;
        let (parts, response) = self.collect_parts(answer).await?;
        let results: Vec<PathResult> = envelope::parse(200, &response)?.result.unwrap_or_default();
        if results.len() != paths.len() {
            let (found, count) = (results.len(), paths.len());
            return Err(Failure::Protocol(format!(
                "{found} results for {count} paths"
            )));
        }
        Ok(match_up(parts, results))
    }

    /// Reads the body to its end: the content of each part, and the closing JSON.
    async fn collect_parts(&self, answer: Answer) -> Result<(Vec<Vec<u8>>, Vec<u8>), Failure> {
        let mut parser = Parser::new(&answer.content_type)?;
        let mut body = answer.body;
        let (mut parts, mut current) = (Vec::new(), None);
        let mut total_bytes = 0;
        loop {
            match parser.next()? {
                Event::NeedInput => {
                    match crate::client::within(self.timeout(), body.next()).await? {
                        Some(piece) => parser.feed(&piece),
                        None => return Err(cut_off()),
                    }
                }
                Event::Part(name) => current = Some((name, Vec::new())),
                Event::Data(data) => {
                    total_bytes += data.len();
                    if total_bytes > READ_FILE_LIMIT_BYTES + RESPONSE_LIMIT_BYTES {
                        return Err(Failure::TooLarge {
                            limit_bytes: READ_FILE_LIMIT_BYTES,
                        });
                    }
                    if let Some((_, content)) = &mut current {
                        content.extend_from_slice(&data);
                    }
                }
                Event::PartEnd => match current.take() {
                    Some((name, response)) if name == "response" => return Ok((parts, response)),
                    Some((_, content)) => parts.push(content),
                    None => {}
                },
                Event::End => return Err(cut_off()),
            }
        }
    }
}

fn cut_off() -> Failure {
    Failure::Protocol(String::from("the content was cut off"))
}

type Matched = Vec<Result<Vec<u8>, Failure>>;

/// Gives each path its part, by their order: names are escaped in ways that cannot be undone. A file that failed before
/// it was read has no part. One that failed midway has a part that is too short: then it cannot be told whose a part
/// is, and there is no answer.
fn match_up(parts: Vec<Vec<u8>>, results: Vec<PathResult>) -> Option<Matched> {
    let good = results
        .iter()
        .filter(|result| result.error.is_none())
        .count();
    if parts.len() != good {
        return None;
    }
    let mut parts = parts.into_iter();
    let matched = results.into_iter().map(|result| {
        result.into_result()?;
        Ok(parts.next().unwrap_or_default())
    });
    Some(matched.collect())
}
