//! Changes texts at random, but the same way each time.

/// What readers stumble over.
const TOKENS: [&str; 26] = [
    "null",
    "true",
    "{}",
    "[]",
    "[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\"\"",
    "-1",
    "0",
    "1e999",
    "-0.0",
    "18446744073709551616",
    "4294967296",
    "65536",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{85}",
    "\n",
    "\0",
    "=",
    "/",
    ":",
    "secret:",
    "é",
    "\u{10ffff}",
];

/// Makes new texts out of a corpus.
pub(crate) struct Mutator<'c> {
    state: u64,
    corpus: &'c [String],
}

impl<'c> Mutator<'c> {
    pub(crate) fn new(seed: u64, corpus: &'c [String]) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            corpus,
        }
    }

    /// A number under `limit`, by xorshift64*.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    pub(crate) fn next(&mut self) -> String {
        let at = self.below(self.corpus.len());
        let mut bytes = self.corpus[at].clone().into_bytes();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes);
        }
        bytes.truncate(64 * 1024);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let from = self.below(bytes.len() + 1);
        let to = (from + self.below(12)).min(bytes.len());
        match self.below(7) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let copy = bytes[from..to].to_vec();
                bytes.splice(from..from, copy);
            }
            3 => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << self.below(7);
                }
            }
            4 => {
                // The end of another one.
                let other = self.below(self.corpus.len());
                let other = self.corpus[other].as_bytes();
                let cut = self.below(other.len() + 1);
                bytes.truncate(from);
                bytes.extend_from_slice(&other[cut..]);
            }
            _ => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(from..to, token.bytes());
            }
        }
    }
}
