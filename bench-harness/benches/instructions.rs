//! Instructions that the engine's inner work takes: decoding, scattering and encoding a tile, counted by valgrind.
//!
//! Times vary from run to run on a shared machine, counts do not: a regression of one percent shows. `CONTRIBUTING.md` says
//! how to run it; without its tools it says what is missing and does nothing.

#[cfg(feature = "instructions")]
mod counts;

#[cfg(feature = "instructions")]
fn main() {
    use std::process::Command;

    // Each count is taken in a process of its own, which is this program again, inside valgrind.
    let counted = std::env::args().nth(1).is_some_and(|argument| argument == "--gungraun-run");
    let runner = option_env!("GUNGRAUN_RUNNER").unwrap_or("gungraun-runner");
    let missing = |tool: &&str| Command::new(tool).arg("--version").output().is_err();
    match ["valgrind", runner].iter().filter(|_| !counted).find(|tool| missing(tool)) {
        Some(tool) => println!("instruction counts are skipped: {tool} cannot be run"),
        None => counts::run(),
    }
}

#[cfg(not(feature = "instructions"))]
fn main() {
    println!("instruction counts are skipped: the feature `instructions` is not enabled");
}
