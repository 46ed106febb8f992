//! The `peerward` binary.
fn main() {}
