//! `zarrange-bench field`.

use std::path::PathBuf;

use crate::field::Field;
use anyhow::ensure;

#[derive(Debug, clap::Args)]
pub(crate) struct FieldArgs {
    /// Store to make
    store: PathBuf,
    /// Epochs [default: as in the recipe]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
}

pub(crate) fn run(args: &FieldArgs) -> anyhow::Result<()> {
    ensure!(args.store.symlink_metadata().is_err(), "{} is there: choose another name", args.store.display());
    let field = Field::recipe()?;
    field.make(&args.store, args.epochs.unwrap_or_else(|| field.epochs()))
}
