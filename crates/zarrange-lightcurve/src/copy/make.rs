//! Making a copy in another layout.

use std::collections::BTreeMap;
use std::time::Duration;

use zarrange_array::{Group, Text, publish_group};
use zarrange_io::{Location, Store};
use zarrange_rechunk::{ChunkSpec, Codecs, Named, Progress, Report, Request, prepare, run_and};

use crate::LightCurveError;
use crate::copy::CopyOptions;
use crate::store::fill::EpochLock;
use crate::store::growing::is_marked;
use crate::store::layout::Cut;
use crate::store::record::{self, Filled, Record};
use crate::store::schema::{FILLS, SOURCE};
use crate::store::{LightCurveStore, documents};

/// The attribute that says how a store is cut.
pub(super) const LAYOUT: &str = "layout";

/// The root of a copy: with the attributes of its source, but for the place of that and how the copy is cut.
pub(super) fn of_copy(group: Group, attributes: &Text, (source, cut): (&str, &str)) -> Group {
    let group = group.with_attributes(attributes.clone()).with_attribute(SOURCE, source);
    if attributes.holds(LAYOUT) { group.with_attribute(LAYOUT, cut) } else { group }
}

impl LightCurveStore {
    /// Makes a copy of the store at `source` in another layout: all arrays with their labels and side variables. What it holds is what is
    /// recorded when it begins; a later [`sync`](Self::sync) brings the rest.
    ///
    /// # Errors
    /// [`LightCurveError`]; what was at `target` is then as it was.
    pub fn copy(
        (source, target): (&Location, &Location),
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<Report, LightCurveError> {
        let store = Self::open(source, &options.io)?;
        let _held = store.hold_size(Duration::from_mins(1))?;
        let filled = store.all_filled()?;
        let mut request = options.request(source.clone(), target.clone());
        request.overwrite = options.overwrite;
        request.skip = if store.keeps_record() { vec![FILLS.to_owned()] } else { Vec::new() };
        store.lay_out(options, &mut request)?;
        let complete = |root: &Store| {
            store.complete(root, (&filled, &source.absolute().to_string()), &options.cut).map_err(Into::into)
        };
        let report = run_and(prepare(request)?, &complete, progress)?;
        store.check_size()?;
        Ok(report)
    }

    /// Writes the record of a copy at `root`, which is not seen yet, and of what it is one.
    fn complete(
        &self,
        root: &Store,
        (filled, source): (&BTreeMap<u64, Filled>, &str),
        cut: &Cut,
    ) -> Result<(), LightCurveError> {
        if self.keeps_record() {
            let dimensions = self.recorded_dimensions();
            for (_, array) in &record::create(root, &dimensions)? {
                array.write_metadata()?;
            }
            let fills = Group::new(root.below(FILLS)?, record::attributes());
            publish_group(root, (FILLS, &fills), None)?;
            let shape: Vec<u64> = dimensions.iter().map(|(_, size)| *size).collect();
            if let Some(record) = Record::open(root, (&shape, None))? {
                record.write_all(filled)?;
            }
        }
        let group = documents::root(root)?;
        let attributes = group.attributes();
        let group = of_copy(group, &attributes, (source, &cut.to_string()));
        let consolidated = group.is_consolidated();
        documents::publish(&group, consolidated)
    }

    /// Keeps anybody from adding epochs, where that can be.
    ///
    /// # Errors
    /// [`LightCurveError::HalfAdded`] if that broke off.
    pub(super) fn hold_size(&self, wait: Duration) -> Result<Option<EpochLock>, LightCurveError> {
        let held = if self.keeps_record() {
            match EpochLock::take(&self.root, EpochLock::END - 1..EpochLock::END, wait) {
                Ok(lock) => Some(lock),
                Err(busy @ LightCurveError::Busy { .. }) => return Err(busy),
                // What only can be read may still be looked at again.
                Err(_) => None,
            }
        } else {
            None
        };
        if is_marked(&self.root)? {
            return Err(LightCurveError::HalfAdded { location: self.label() });
        }
        self.check_size()?;
        Ok(held)
    }

    /// Says how the arrays of values are to be cut.
    fn lay_out(&self, options: &CopyOptions, request: &mut Request) -> Result<(), LightCurveError> {
        for name in &self.schema().values {
            let array = self.named(name)?;
            let names = array.document().dimension_names().unwrap_or_default();
            let names: Vec<String> = names.into_iter().map(Option::unwrap_or_default).collect();
            let dimensions: Vec<(&str, u64)> =
                names.iter().map(String::as_str).zip(array.shape().iter().copied()).collect();
            let elements = array.elements()?;
            // What is kept compresses as something usual does.
            let codecs =
                if options.codecs == Codecs::Keep { Codecs::Zstd(3) } else { options.codecs.clone() };
            let element = (elements.element.name(), elements.item_bytes() as u64);
            let layout = options.cut.layout(&dimensions, element, &codecs)?;
            let spec = |lengths: &[u64]| {
                let signed = |length: &u64| i64::try_from(*length).unwrap_or(i64::MAX);
                ChunkSpec::Sizes(lengths.iter().map(signed).collect())
            };
            let array = Some(name.clone());
            request.chunks.push(Named { array: array.clone(), spec: spec(&layout.chunk) });
            let shard = layout.shard.as_deref().map_or(ChunkSpec::None, spec);
            request.shards.push(Named { array, spec: shard });
        }
        request.codecs = options.codecs.clone();
        Ok(())
    }

    /// What is recorded of every epoch that is filled.
    fn all_filled(&self) -> Result<BTreeMap<u64, Filled>, LightCurveError> {
        let Some(record) = self.record() else { return Ok(BTreeMap::new()) };
        let mut filled = BTreeMap::new();
        let times = record.times()?;
        for epoch in (0..self.schema().epochs().size).filter(|epoch| times.filled(*epoch) > 0) {
            filled.insert(epoch, record.read(epoch)?);
        }
        Ok(filled)
    }
}
