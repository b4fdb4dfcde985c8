//! Durations as Go writes them, which is how the Pebble API carries them.

use std::time::Duration;

/// Formats a duration so that Go's parser reads back the very same number of nanoseconds.
///
/// Anything longer than Go can hold (292 years) becomes the longest one it can.
pub(crate) fn format(duration: Duration) -> String {
    let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    if nanoseconds % 1_000_000_000 == 0 {
        format!("{}s", nanoseconds / 1_000_000_000)
    } else if nanoseconds % 1_000_000 == 0 {
        format!("{}ms", nanoseconds / 1_000_000)
    } else {
        format!("{nanoseconds}ns")
    }
}

/// Parses what Go's `Duration.String` writes: `168h0m0s`, `1.5s`, `300ms`, `2µs`. Negative ones are refused.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total = total.checked_add(part(number, unit)?)?;
        rest = tail;
    }
    Some(total)
}

fn part(number: &str, unit: &str) -> Option<Duration> {
    let unit_nanoseconds: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanoseconds = whole.checked_mul(unit_nanoseconds)?;
    let mut weight = unit_nanoseconds;
    for digit in fraction.chars() {
        weight /= 10;
        nanoseconds = nanoseconds.checked_add(u64::from(digit.to_digit(10)?) * weight)?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

/// For `#[serde(with = ..)]`: an optional duration in a field that may be missing.
pub(crate) mod optional {
    use std::time::Duration;

    use serde::Serializer;
    use serde::de::{Deserialize, Deserializer, Error};

    #[expect(clippy::ref_option, reason = "serde gives the field by reference")]
    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format(duration.unwrap_or_default()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        super::parse(&text)
            .map(Some)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not a duration")))
    }
}

#[cfg(test)]
mod tests {
    use super::{format, parse};
    use std::time::Duration;

    #[test]
    fn format_round_trips_every_precision() {
        for duration in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_micros(400),
            Duration::from_millis(1_500),
            Duration::from_hours(168),
            Duration::new(3, 141_592_653),
        ] {
            assert_eq!(parse(&format(duration)), Some(duration), "{duration:?}");
        }
    }

    #[test]
    fn format_of_a_sub_millisecond_is_not_zero() {
        assert_eq!(format(Duration::from_micros(400)), "400000ns");
    }

    #[test]
    fn format_of_more_than_go_can_hold_is_the_longest() {
        assert_eq!(format(Duration::MAX), format!("{}ns", i64::MAX));
    }

    #[test]
    fn parse_reads_what_go_writes() {
        for (text, expected) in [
            ("168h0m0s", Duration::from_hours(168)),
            ("1m0.5s", Duration::from_millis(60_500)),
            ("1.5h", Duration::from_mins(90)),
            ("2µs", Duration::from_micros(2)),
            ("0s", Duration::ZERO),
            ("0", Duration::ZERO),
            (".5s", Duration::from_millis(500)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn parse_of_anything_else_is_none() {
        for text in [
            "",
            "5",
            "s",
            ".s",
            "-5s",
            "5 s",
            "5d",
            "1.2.3s",
            "99999999999h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
