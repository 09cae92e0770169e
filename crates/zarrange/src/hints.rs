//! Errors as a command tells them: libraries say what is wrong, here the options are named that would be right.

use std::collections::BTreeSet;
use std::path::Path;

use zarrange_array::ArrayError;
use zarrange_lightcurve::LightCurveError;
use zarrange_plan::{MixError, PlanError};
use zarrange_rechunk::{
    PlanFileError, RechunkError, Refusals, SampleError, SharedError, SpecError, shell_path, shell_values,
};

/// The options of the command that is run, without their minuses: others are never named.
#[derive(Debug, Default)]
pub(crate) struct Options(pub(crate) BTreeSet<String>);

impl Options {
    /// What an error says, with options.
    pub(crate) fn told(&self, error: &anyhow::Error) -> String {
        let own = error.to_string();
        let planned = match error.downcast_ref() {
            Some(SharedError::Plan(error)) => Some(&**error),
            _ => error.downcast_ref(),
        };
        let rechunk = match (planned, error.downcast_ref()) {
            (Some(PlanFileError::Source(error)), _) => Some(error),
            (_, Some(SharedError::Rechunk(error))) => Some(&**error),
            _ => match error.downcast_ref() {
                Some(LightCurveError::Rechunk(error)) => Some(&**error),
                _ => error.downcast_ref::<RechunkError>(),
            },
        };
        let told = match (rechunk, error.downcast_ref()) {
            (Some(error), _) => (error.to_string(), self.of_rechunk(error)),
            (None, Some(LightCurveError::Array(error))) => (error.to_string(), self.of_array(error)),
            (None, Some(error @ LightCurveError::Room { needed, .. })) => {
                let hint = self.offer(&[&format!("--max-mem {needed}")]);
                (error.to_string(), format!("{error}{hint}"))
            }
            (None, Some(LightCurveError::Sample(error))) => (error.to_string(), self.of_sample(error)),
            _ => return own,
        };
        // Where it happened may have been put before it.
        match told {
            (bare, told) if bare == own => told,
            (_, told) => format!("{own}: {told}"),
        }
    }

    /// What an error of the engine says, with options.
    pub(crate) fn of_rechunk(&self, error: &RechunkError) -> String {
        match error {
            RechunkError::Members(refusals) => self.members(refusals),
            RechunkError::Untidy { error, left } => format!("{}; {left}", self.of_rechunk(error)),
            RechunkError::Array(error) => self.of_array(error),
            other => format!("{other}{}", self.hint(other)),
        }
    }

    fn of_sample(&self, error: &SampleError) -> String {
        let hint = match error {
            SampleError::Memory { needed, .. } => self.offer(&[&format!("--max-mem {needed}")]),
            _ => String::new(),
        };
        format!("{error}{hint}")
    }

    fn of_array(&self, error: &ArrayError) -> String {
        let hint = match error {
            ArrayError::TargetExists(_) => self.offer(&["--overwrite"]),
            ArrayError::TargetShared { folder, .. } => {
                let plan = format!("{folder}/plan.json");
                format!(" (zarrange finish --give-up {})", shell_path(Path::new(&plan)))
            }
            ArrayError::NoTemp(_) => self.offer(&["--temp", "--max-mem"]),
            ArrayError::TempUnable(_) | ArrayError::TempInside { .. } => self.offer(&["--temp"]),
            _ => String::new(),
        };
        format!("{error}{hint}")
    }

    /// What is to be written after an error.
    fn hint(&self, error: &RechunkError) -> String {
        match error {
            RechunkError::Memory { .. } => self.offer(&["--max-mem"]),
            RechunkError::TextMemory { needed, .. }
            | RechunkError::TextIndexes { needed, .. }
            | RechunkError::Metadata { needed, .. }
            | RechunkError::Plan { source: PlanError::Memory { needed, .. }, .. } => {
                self.offer(&[&format!("--max-mem {needed}")])
            }
            RechunkError::Comparing { source: PlanError::Memory { needed, .. }, .. } => {
                self.offer(&["--verify none", &format!("--max-mem {needed}")])
            }
            RechunkError::Comparing { .. } => self.offer(&["--verify none"]),
            RechunkError::Foreign { .. } => self.offer(&["--foreign copy", "--foreign skip"]),
            RechunkError::InTheWay { .. } => self.offer(&["--foreign skip"]),
            RechunkError::Spec(SpecError::Rectilinear { array, what, largest, .. }) => {
                let sizes: Vec<String> = largest.iter().map(u64::to_string).collect();
                let colon = if array.is_empty() { "" } else { ":" };
                let spec = format!("{array}{colon}{}", sizes.join(","));
                self.offer(&[&shell_values(&format!("--{what}"), &[&spec])])
            }
            RechunkError::Spec(SpecError::Opaque { .. }) => self.offer(&["--array"]),
            RechunkError::Spec(SpecError::MixFor { source: MixError::Objects { objects, .. }, .. }) => {
                self.offer(&[&format!("--max-files {objects}")])
            }
            _ => String::new(),
        }
    }

    /// Members that cannot be carried over, and how they are left out.
    fn members(&self, refusals: &Refusals) -> String {
        let told = refusals.told(&|error| self.of_rechunk(error));
        let paths: Vec<&str> = refusals.to_leave_out().into_iter().collect();
        if paths.is_empty() || !self.0.contains("skip") {
            return told;
        }
        let them = if refusals.first.len() == 1 && refusals.more == 0 {
            "; to leave it out"
        } else {
            "\nto leave them out"
        };
        format!("{told}{them}: {}", shell_values("--skip", &paths))
    }

    /// Those of `hints`, each an option and its value, that the command understands; in brackets.
    fn offer(&self, hints: &[&str]) -> String {
        let name = |hint: &str| hint.trim_start_matches('-').split([' ', '=']).next().map(str::to_owned);
        let understood = |hint: &&&str| name(hint).is_some_and(|name| self.0.contains(&name));
        let hints: Vec<&str> = hints.iter().filter(understood).copied().collect();
        if hints.is_empty() { String::new() } else { format!(" ({})", hints.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use zarrange_rechunk::Refusal;

    use super::*;
    use crate::args::Args;

    fn exists() -> RechunkError {
        RechunkError::Array(ArrayError::TargetExists("a".to_owned()))
    }

    fn refused(path: &str) -> Refusal {
        let fault = ArrayError::TempUnable("t".to_owned());
        Refusal { path: path.to_owned(), error: fault.into() }
    }

    #[test]
    fn errors_end_with_the_options_that_help() {
        let check_for = |command: &[&str], error: anyhow::Error, end: &str| {
            let told = Args::options(command).told(&error);
            assert!(told.ends_with(end), "{told}");
        };
        let check = |error: anyhow::Error, end: &str| check_for(&["rechunk"], error, end);
        let members = |paths: &[&str], more: u64| {
            RechunkError::Members(Refusals { first: paths.iter().map(|path| refused(path)).collect(), more })
        };
        let room = |source: PlanError| RechunkError::Comparing { array: "a".to_owned(), source };
        check(exists().into(), "have it replaced (--overwrite)");
        check(anyhow::Error::from(PlanFileError::Source(exists())).context("p.json"), "(--overwrite)");
        check(LightCurveError::Array(ArrayError::TargetExists("a".to_owned())).into(), "(--overwrite)");
        check(room(PlanError::ItemBytes).into(), "cannot be moved (--verify none)");
        let chunk = LightCurveError::Room { what: "a chunk".to_owned(), needed: 700, bytes_max: 600 };
        check_for(&["lightcurve", "get"], chunk.into(), "700 would do (--max-mem 700)");
        check(members(&["b c"], 0).into(), "intermediates (--temp); to leave it out: --skip 'b c'");
        check(members(&["b", "-c"], 0).into(), "(--temp)\nto leave them out: --skip=-c --skip=b");
        check(members(&["b"], 1).into(), "\n  and 1 more\nto leave them out: --skip b");
        let largest = |array: &str| {
            let array = array.to_owned();
            RechunkError::from(SpecError::Rectilinear { array, what: "chunks", largest: vec![4, 5] })
        };
        check(largest("").into(), " (--chunks 4,5)");
        check(largest("a b").into(), " (--chunks 'a b:4,5')");
        let (target, folder) = ("a".to_owned(), "b c".to_owned());
        check(
            RechunkError::Array(ArrayError::TargetShared { target, folder }).into(),
            "its plan is b c/plan.json (zarrange finish --give-up 'b c/plan.json')",
        );
        check(anyhow::anyhow!("something else"), "something else");
        // Others do not have these options.
        check_for(&["verify"], members(&["b"], 0).into(), "intermediates");
        check_for(&["demo"], room(PlanError::ItemBytes).into(), "cannot be moved");
        check_for(
            &["lightcurve", "ingest"],
            LightCurveError::Array(ArrayError::TargetExists("a".to_owned())).into(),
            "(--overwrite)",
        );
    }
}
