//! How it will be found out whether a target holds what its source holds, where all of it shall be compared.

use std::sync::Arc;

use zarrange_array::{Array, ArrayMetadata};
use zarrange_plan::{Parts, Plan, Problem, Purpose, Route};

use crate::error::RechunkError;
use crate::prepare::problem::{Plans, problem};
use crate::request::{Request, Verify};

/// How one array is checked: as a plan says, packed.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    plan: Arc<[u8]>,
    /// The source is digested when it is moved, and the target read and digested. Otherwise both are read and compared.
    pub(crate) is_digested: bool,
}

impl Check {
    /// That of an array of which `plan` says how it is moved; none where its values are not known, or only some of them are compared.
    pub(crate) fn of(
        request: &Request,
        (source, target): (&Array, &ArrayMetadata),
        plan: &Plan,
        plans: &mut Plans,
    ) -> Result<Option<Self>, RechunkError> {
        // Of a region, the target holds more than the source.
        if !request.verify.is_whole() || request.region.is_some() {
            return Ok(None);
        }
        let (from, to) = (source.view()?, target.view()?);
        // What is copied is not decoded, but compared. And nobody looks at what is not stored, which must be the same on both sides.
        let is_digested = request.verify == Verify::Digest
            && matches!(plan.route, Route::Tiled(_))
            && from.elements().element == to.elements().element
            && from.elements().fill == to.elements().fill;
        let (read, purpose) = if is_digested { (&to, Purpose::Read) } else { (&from, Purpose::Compare) };
        let problem = problem(read, &to, (request.memory_bytes_max, request.threads), purpose);
        let plan = plans.of(&Problem { part_bytes: request.part_bytes, ..problem });
        let plan =
            plan.map_err(|source| RechunkError::Comparing { array: target.location().to_owned(), source })?;
        Ok(Some(Self { plan: plans.packed(&plan), is_digested }))
    }

    /// How it is read.
    pub(crate) fn plan(&self) -> Plan {
        postcard::from_bytes(&self.plan)
            .unwrap_or_else(|error| unreachable!("a plan was packed here: {error}"))
    }

    /// Its parts, each of which can be checked alone; none where there are no elements.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let plan = self.plan();
        (!plan.stages().is_empty()).then(|| plan.parts(0))
    }

    /// The memory that it takes; those that share a plan share what that takes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.plan.len() / Arc::strong_count(&self.plan)) as u64
    }
}
