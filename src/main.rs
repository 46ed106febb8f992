//! The `peerward` binary.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    peerward::cli::main()
}
