//! `zarrange-bench cell`: one cell of a sweep, as told on stdin.

use zarrange::COMMIT;

use crate::sweep::Answer;
use crate::sweep::cell::measure;
use crate::sweep::record::Outcome;

pub(crate) fn run() -> anyhow::Result<()> {
    let order = serde_json::from_reader(std::io::stdin().lock())?;
    let outcome = match measure(&order) {
        Ok(counted) => Outcome::Measured(Box::new(counted)),
        Err(error) => Outcome::Unmeasured(format!("{error:#}")),
    };
    say!("{}", serde_json::to_string(&Answer { commit: COMMIT.to_owned(), outcome })?);
    Ok(())
}
