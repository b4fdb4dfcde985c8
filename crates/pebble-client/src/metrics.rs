//! Metrics, as the daemon counts them.

use std::collections::BTreeMap;

use hyper::Method;

use crate::Client;
use crate::client::{Operation, envelope_of, request, within};
use crate::error::{Error, Failure};
use crate::open_enum::open_enum;
use crate::query::Target;
use crate::transport::RequestBody;

/// The most that is taken: some 100,000 services.
const METRICS_LIMIT_BYTES: usize = 16 << 20;

open_enum! {
    /// What a number means.
    MetricKind {
        /// What is the case now.
        Gauge = "gauge",
        /// How often something happened since the daemon was started.
        Counter = "counter",
    }
}

/// One thing that is measured, in one or more places.
///
/// [`Client::metrics`] has an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, like `pebble_service_active`.
    pub name: String,
    /// One line for a person.
    pub help: String,
    /// What its numbers mean; empty ([`MetricKind::Other`]) where that is not said.
    pub kind: MetricKind,
    /// What was measured.
    pub samples: Vec<Sample>,
}

/// One number.
///
/// [`Client::metrics`] has an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Where it was measured: `service` or `check`, and its name.
    pub labels: BTreeMap<String, String>,
    /// The number.
    pub value: f64,
}

impl Client {
    /// Returns what the daemon counts of its services and checks: whether each is up, and how often it started,
    /// succeeded and failed.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) over TCP without an identity of access `metrics`;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) by a daemon of Juju before 3.6.4.
    ///
    /// # Example
    ///
    /// ```no_run
    /// // no_run: needs a daemon
    /// # async fn example(client: pebble_client::Client) -> Result<(), pebble_client::Error> {
    /// let metrics = client.metrics().await?;
    /// let starts = metrics.iter().find(|metric| metric.name == "pebble_service_start_count");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn metrics(&self) -> Result<Vec<Metric>, Error> {
        let text = within(self.timeout(), self.metrics_text()).await;
        text.and_then(|text| parse(&text))
            .operation(|| String::from("get metrics"))
    }

    async fn metrics_text(&self) -> Result<String, Failure> {
        let target = Target::new("/v1/metrics");
        let request = request(&Method::GET, &target, None, RequestBody::Empty)?;
        let answer = self.transport().send(request).await?;
        if !answer.status.is_success() {
            let status = answer.status;
            envelope_of::<serde::de::IgnoredAny>(answer).await?;
            return Err(Failure::Protocol(format!("answer of status {status}")));
        }
        let body = answer.body.collect(METRICS_LIMIT_BYTES).await?;
        String::from_utf8(body.to_vec())
            .map_err(|_| Failure::Protocol(String::from("metrics that are not UTF-8")))
    }
}

/// Parses the lines; the daemon repeats what it says of a metric before each of its numbers.
fn parse(text: &str) -> Result<Vec<Metric>, Failure> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.trim_start().splitn(3, ' ');
            if let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next())
            {
                match what {
                    "HELP" => rest.clone_into(&mut metric(&mut metrics, name).help),
                    "TYPE" => metric(&mut metrics, name).kind = rest.to_owned().into(),
                    _ => {}
                }
            }
            continue;
        }
        let (name, sample) = sample(line)
            .ok_or_else(|| Failure::Protocol(String::from("a line that is no metric")))?;
        metric(&mut metrics, name).samples.push(sample);
    }
    Ok(metrics)
}

fn metric<'a>(metrics: &'a mut Vec<Metric>, name: &str) -> &'a mut Metric {
    let index = metrics
        .iter()
        .position(|metric| metric.name == name)
        .unwrap_or(metrics.len());
    if index == metrics.len() {
        metrics.push(Metric {
            name: name.to_owned(),
            help: String::new(),
            kind: MetricKind::Other(String::new()),
            samples: Vec::new(),
        });
    }
    &mut metrics[index]
}

/// Reads `name{label="value",...} 1` or `name 1`; a time behind the number is passed over.
fn sample(line: &str) -> Option<(&str, Sample)> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start_matches([',', ' ']);
        while !rest.starts_with('}') {
            let (key, tail) = rest.split_once("=\"")?;
            let (value, tail) = quoted(tail)?;
            labels.insert(key.to_owned(), value);
            rest = tail.trim_start_matches([',', ' ']);
        }
        rest = &rest[1..];
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some((name, Sample { labels, value }))
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Failure, MetricKind, parse};

    #[test]
    fn numbers_of_one_metric_are_together() -> Result<(), Failure> {
        let text = "# HELP up Whether it is up\n# TYPE up gauge\nup{check=\"a\"} 1\n\n# HELP up Whether it is up\n\
             # TYPE up gauge\nup{check=\"b \\\"}\\\\\\n\",x=\"y\"} 0.5 1700000000\n# EOF\nbare 3e2\n";
        let metrics = parse(text)?;
        assert_eq!(metrics.len(), 2);
        let up = &metrics[0];
        assert_eq!(
            (&*up.name, &*up.help, &up.kind),
            ("up", "Whether it is up", &MetricKind::Gauge)
        );
        assert_eq!(up.samples.len(), 2);
        assert_eq!(up.samples[1].labels["check"], "b \"}\\\n");
        assert!((up.samples[1].value - 0.5).abs() < f64::EPSILON);
        assert!((metrics[1].samples[0].value - 300.0).abs() < f64::EPSILON);
        Ok(())
    }

    #[test]
    fn line_that_is_no_metric_is_an_error() {
        for line in ["up", "up{a=\"b} 1", "up{a} 1", "up one", "up{a=\"b\"}"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("").is_ok_and(|metrics| metrics.is_empty()));
    }
}
