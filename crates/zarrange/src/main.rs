//! The program `zarrange`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zarrange::run(std::env::args_os())
}
