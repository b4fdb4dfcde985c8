//! Ids as Juju makes them, from the system's random source.

use std::fmt::Write as _;

use rustix::rand::{GetRandomFlags, getrandom};

const SECRET_DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const SECRET_ID_LENGTH: usize = 20;

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Up to 256 bytes are always given whole once the source is ready; no flag waits for that.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    bytes
}

fn digits(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(crate) fn hex<const N: usize>() -> String {
    digits(&random::<N>())
}

/// A random (version 4) uuid.
pub(crate) fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = digits(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A secret's id: 96 bits in base 32, so that the last digit is 0 or g.
pub(crate) fn secret() -> String {
    let mut id: String = random::<SECRET_ID_LENGTH>()
        .iter()
        .map(|byte| char::from(SECRET_DIGITS[usize::from(byte % 32)]))
        .collect();
    let last = if id.ends_with(|digit: char| digit < 'g') {
        '0'
    } else {
        'g'
    };
    id.pop();
    id.push(last);
    id
}

pub(crate) fn is_secret(id: &str) -> bool {
    id.len() == SECRET_ID_LENGTH
        && id.bytes().all(|byte| SECRET_DIGITS.contains(&byte))
        && id.ends_with(['0', 'g'])
}
