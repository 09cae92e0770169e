//! The program `zarrange-bench`.

use bench_harness::program::Program;

fn main() -> anyhow::Result<()> {
    bench_harness::run(std::env::args_os(), Program::this()?)
}
