//! The charm program that `dispatch` starts.

fn main() {}
