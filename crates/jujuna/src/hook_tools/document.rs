//! Text maps as Juju reads them: files that its commands take by `--file`.

use std::borrow::Borrow;

use zeroize::Zeroizing;

/// Writes a map of texts so that it is the same both as JSON and as the YAML 1.1 that Juju reads.
///
/// Everything outside printable ASCII is escaped: in YAML some of it ends a line within quotes (U+0085, U+2028) or
/// is refused (U+007F, U+FEFF). What lies above U+FFFF stays, because YAML knows no surrogate pairs.
pub(crate) fn document<'a, K, V>(entries: impl IntoIterator<Item = (K, V)>) -> Zeroizing<Vec<u8>>
where
    K: Borrow<str> + 'a,
    V: Borrow<str> + 'a,
{
    let entries: Vec<_> = entries.into_iter().collect();
    // Six bytes is the most that one byte becomes: no reallocation leaves a copy behind.
    let room: usize = entries
        .iter()
        .map(|(key, value)| 6 * (key.borrow().len() + value.borrow().len()) + 8)
        .sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room + 2));
    out.push(b'{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_quoted(&mut out, key.borrow());
        out.extend_from_slice(b": ");
        write_quoted(&mut out, value.borrow());
    }
    out.push(b'}');
    out
}

fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            ' '..='~' | '\u{10000}'.. => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn any_text_reads_back_from_json() {
        let every: String = (0..0x1_0100_u32).filter_map(char::from_u32).collect();
        let map = BTreeMap::from([
            (" k: {\"#".to_owned(), every),
            ("e".to_owned(), String::new()),
        ]);
        let bytes = document(map.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let read: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read, map);
    }

    #[test]
    fn what_yaml_treats_specially_is_escaped() {
        let bytes = document([("k", "a\u{85}\u{2028}\u{7f}\u{feff}\r\u{1f600}é")]);
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(
            text,
            "{\"k\": \"a\\u0085\\u2028\\u007f\\ufeff\\u000d\u{1f600}\\u00e9\"}"
        );
    }
}
