//! Arguments that many commands have.

use clap::ValueEnum;

/// How bytes are read and written.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct IoArgs {
    /// How local files are read and written
    #[arg(long, value_enum, default_value_t = BackendArg::Auto)]
    pub(crate) backend: BackendArg,
    /// Read past the page cache (`O_DIRECT`); not with mmap
    #[arg(long)]
    pub(crate) direct: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendArg {
    /// `io_uring` where it works, otherwise std
    Auto,
    /// Positioned reads and writes, several at once
    Std,
    /// Memory mappings to read, positioned writes; only for files that nobody changes meanwhile
    Mmap,
    /// Linux `io_uring`; an error where the kernel has none or refuses it
    #[value(name = "io_uring")]
    IoUring,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    /// When stderr is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How a command tells what it does.
#[derive(Debug, clap::Args)]
pub(crate) struct ToldArgs {
    /// A progress bar on stderr
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto)]
    pub(crate) progress: ProgressArg,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}
