//! Errors as the command tells them: libraries say what is wrong, here the options are named that would be right.

use zarrange_array::ArrayError;
use zarrange_lightcurve::LightCurveError;
use zarrange_plan::{MixError, PlanError};
use zarrange_rechunk::{PlanFileError, RechunkError, Refusals, SpecError, shell_values};

/// What an error says, with options.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let own = error.to_string();
    let rechunk = match error.downcast_ref() {
        Some(PlanFileError::Source(error)) => Some(error),
        _ => error.downcast_ref::<RechunkError>(),
    };
    let told = match (rechunk, error.downcast_ref()) {
        (Some(error), _) => (error.to_string(), of_rechunk(error)),
        (None, Some(LightCurveError::Array(error))) => (error.to_string(), of_array(error)),
        _ => return own,
    };
    // Where it happened may have been put before it.
    match told {
        (bare, told) if bare == own => told,
        (_, told) => format!("{own}: {told}"),
    }
}

fn of_rechunk(error: &RechunkError) -> String {
    match error {
        RechunkError::Members(refusals) => members(refusals),
        RechunkError::Untidy { error, left } => format!("{}; {left}", of_rechunk(error)),
        RechunkError::Array(error) => of_array(error),
        other => format!("{other}{}", hint(other)),
    }
}

fn of_array(error: &ArrayError) -> String {
    let hint = match error {
        ArrayError::TargetExists(_) => " (--overwrite)",
        ArrayError::NoTemp(_) => " (--temp, --max-mem)",
        ArrayError::TempUnable(_) | ArrayError::TempInside { .. } => " (--temp)",
        _ => "",
    };
    format!("{error}{hint}")
}

/// What is to be written after an error.
fn hint(error: &RechunkError) -> String {
    match error {
        RechunkError::Memory { .. } => " (--max-mem)".to_owned(),
        RechunkError::TextMemory { needed, .. }
        | RechunkError::Metadata { needed, .. }
        | RechunkError::Plan { source: PlanError::Memory { needed, .. }, .. } => {
            format!(" (--max-mem {needed})")
        }
        RechunkError::Comparing { source: PlanError::Memory { needed, .. }, .. } => {
            format!(" (--verify none, or --max-mem {needed})")
        }
        RechunkError::Comparing { .. } => " (--verify none)".to_owned(),
        RechunkError::Foreign { .. } => " (--foreign copy, --foreign skip)".to_owned(),
        RechunkError::Spec(SpecError::Rectilinear { what, largest, .. }) => {
            format!(": give --{what} SPEC, such as {largest:?}, the largest it has")
        }
        RechunkError::Spec(SpecError::Opaque { .. }) => " (--array)".to_owned(),
        RechunkError::Spec(SpecError::MixFor { source: MixError::Objects { objects, .. }, .. }) => {
            format!("; raise --max-files to {objects}")
        }
        _ => String::new(),
    }
}

/// Members that cannot be carried over, and how they are left out.
fn members(refusals: &Refusals) -> String {
    let told = refusals.told(&of_rechunk);
    let paths: Vec<&str> = refusals.to_leave_out().into_iter().collect();
    if paths.is_empty() {
        return told;
    }
    let them = if refusals.first.len() == 1 && refusals.more == 0 {
        "; to leave it out"
    } else {
        "\nto leave them out"
    };
    format!("{told}{them}: {}", shell_values("--skip", &paths))
}

#[cfg(test)]
mod tests {
    use zarrange_rechunk::Refusal;

    use super::*;

    fn exists() -> RechunkError {
        RechunkError::Array(ArrayError::TargetExists("a".to_owned()))
    }

    fn refused(path: &str) -> Refusal {
        let fault = ArrayError::TempUnable("t".to_owned());
        Refusal { path: path.to_owned(), error: fault.into() }
    }

    #[test]
    fn errors_end_with_the_options_that_help() {
        let check = |error: anyhow::Error, end: &str| {
            let told = told(&error);
            assert!(told.ends_with(end), "{told}");
        };
        let members = |paths: &[&str], more: u64| {
            RechunkError::Members(Refusals { first: paths.iter().map(|path| refused(path)).collect(), more })
        };
        let room = |source: PlanError| RechunkError::Comparing { array: "a".to_owned(), source };
        check(exists().into(), "have it replaced (--overwrite)");
        check(anyhow::Error::from(PlanFileError::Source(exists())).context("p.json"), "(--overwrite)");
        check(LightCurveError::Array(ArrayError::TargetExists("a".to_owned())).into(), "(--overwrite)");
        check(room(PlanError::ItemBytes).into(), "cannot be moved (--verify none)");
        check(members(&["b c"], 0).into(), "intermediates (--temp); to leave it out: --skip 'b c'");
        check(members(&["b", "-c"], 0).into(), "(--temp)\nto leave them out: --skip=-c --skip=b");
        check(members(&["b"], 1).into(), "\n  and 1 more\nto leave them out: --skip b");
        let largest = SpecError::Rectilinear { array: String::new(), what: "chunks", largest: vec![4, 5] };
        check(
            RechunkError::from(largest).into(),
            "made regular: give --chunks SPEC, such as [4, 5], the largest it has",
        );
        check(anyhow::anyhow!("something else"), "something else");
    }
}
