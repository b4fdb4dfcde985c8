//! Names that tell when: `<kind>-<yyyymmdd>-<hhmmss>-<4 hex>`, UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The name of what begins at `now`; two of the same second differ by `salt`.
pub(super) fn dated_name(kind: &str, now: Timestamp, salt: u16) -> String {
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S");
    format!("{kind}-{time}-{salt:04x}")
}

/// The name of what begins now.
pub(super) fn new_dated_name(kind: &str) -> String {
    let now = Timestamp::now();
    // Without randomness the clock's last digits still tell two of one second apart.
    let salt = getrandom::u32().unwrap_or_else(|_| now.subsec_nanosecond().unsigned_abs() / 1000);
    let [.., high, low] = salt.to_be_bytes();
    dated_name(kind, now, u16::from_be_bytes([high, low]))
}

/// Whether it is such a name, to the letter: then it is safe in a key or a path.
pub(super) fn is_dated_name(kind: &str, text: &str) -> bool {
    let shape = b"-00000000-000000-xxxx";
    text.strip_prefix(kind).is_some_and(|rest| {
        rest.len() == shape.len()
            && rest.bytes().zip(shape).all(|(byte, &wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                _ => byte == wanted,
            })
    })
}
