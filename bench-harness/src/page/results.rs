//! The records of a sweep, put in order for the page: places, layouts, cells, and the names that filters choose from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zarrange_plan::Reader;

use crate::machine::Machine;
use crate::sweep::{
    facts::{DatasetFacts, LayoutFacts},
    record::{Measures, Record},
};

/// What marks and rows can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Facet {
    Dataset,
    Reader,
    Backend,
    Codec,
    Cache,
    Workload,
    Layout,
}

impl Facet {
    pub(crate) const ALL: [Self; 7] =
        [Self::Dataset, Self::Workload, Self::Reader, Self::Backend, Self::Cache, Self::Codec, Self::Layout];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Reader => "reader",
            Self::Backend => "backend",
            Self::Codec => "codec",
            Self::Cache => "cache",
            Self::Workload => "workload",
            Self::Layout => "layout",
        }
    }
}

/// What a mark depends on, by number of the name: it is shown if each facet has one of the values that are chosen. Facets it does not
/// have do not matter to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tags(BTreeMap<Facet, BTreeSet<usize>>);

impl Tags {
    pub(crate) fn with(mut self, facet: Facet, value: usize) -> Self {
        self.0.entry(facet).or_default().insert(value);
        self
    }

    /// The values of a facet.
    pub(crate) fn values(&self, facet: Facet) -> BTreeSet<usize> {
        self.0.get(&facet).cloned().unwrap_or_default()
    }

    /// The values of both.
    pub(crate) fn merge(&mut self, other: Self) {
        for (facet, values) in other.0 {
            self.0.entry(facet).or_default().extend(values);
        }
    }
}

/// As attributes of an element.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (facet, values) in &self.0 {
            let values: Vec<String> = values.iter().map(usize::to_string).collect();
            write!(f, " data-{}=\"{}\"", facet.name(), values.join(" "))?;
        }
        Ok(())
    }
}

/// A dataset on a machine: what may be compared with each other. Its number is that of its name among the datasets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) dataset: DatasetFacts,
    pub(crate) machine: usize,
    pub(crate) layouts: Vec<LayoutFacts>,
}

impl Place {
    /// Objects and epochs of a layout's chunk.
    pub(crate) fn chunk(&self, layout: usize) -> (u64, u64) {
        let (objects, epochs) = self.dataset.axes;
        let chunk = &self.layouts[layout].chunk;
        (chunk.get(objects).copied().unwrap_or(1), chunk.get(epochs).copied().unwrap_or(1))
    }
}

/// A cell, with its names as numbers.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) place: usize,
    /// Among those of the place.
    pub(crate) layout: usize,
    ids: BTreeMap<Facet, usize>,
    pub(crate) record: Record,
}

impl Entry {
    pub(crate) fn id(&self, facet: Facet) -> usize {
        self.ids[&facet]
    }

    pub(crate) fn tags(&self, facets: &[Facet]) -> Tags {
        facets.iter().fold(Tags::default(), |tags, facet| tags.with(*facet, self.id(*facet)))
    }

    pub(crate) fn measures(&self) -> Option<&Measures> {
        self.record.measures()
    }
}

/// Everything that the page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    pub(crate) places: Vec<Place>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) commits: BTreeSet<String>,
    names: BTreeMap<Facet, Vec<String>>,
}

impl Results {
    /// Puts records in order. Of two of the same cell on the same machine, the later one counts.
    pub(crate) fn new(records: Vec<Record>) -> Self {
        let mut out = Self::default();
        for record in &records {
            number(&mut out.machines, &record.machine);
            out.commits.insert(record.commit.clone());
        }
        for record in records {
            out.add(record);
        }
        out.entries.sort_by_key(|entry| (entry.place, entry.layout, entry.ids.clone()));
        out
    }

    /// The names of a facet; the number of each is its place here.
    pub(crate) fn names(&self, facet: Facet) -> &[String] {
        self.names.get(&facet).map_or(&[], Vec::as_slice)
    }

    /// The number of a name.
    pub(crate) fn id(&self, facet: Facet, name: &str) -> Option<usize> {
        self.names(facet).iter().position(|known| known == name)
    }

    /// `tags` and a backend, with who reads through it.
    pub(crate) fn with_backend(&self, tags: Tags, backend: usize) -> Tags {
        let name = &self.names(Facet::Backend)[backend];
        let id = |name: &str| self.id(Facet::Reader, name);
        let reader = id(name).or_else(|| id(Reader::Zarrange.name()));
        let tags = tags.with(Facet::Backend, backend);
        reader.into_iter().fold(tags, |tags, reader| tags.with(Facet::Reader, reader))
    }

    pub(crate) fn of_place(&self, place: usize) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.place == place)
    }

    fn add(&mut self, record: Record) {
        let place = self.place(&record);
        let cell = &record.cell;
        let layout = number(&mut self.places[place].layouts, &cell.layout);
        let values = [
            (Facet::Dataset, self.places[place].name.clone()),
            (Facet::Reader, cell.reader.to_string()),
            (Facet::Backend, cell.backend.clone()),
            (Facet::Codec, cell.layout.codecs.clone()),
            (Facet::Cache, cell.cache.name().to_owned()),
            (Facet::Workload, cell.workload.name.clone()),
            (Facet::Layout, cell.layout.name.clone()),
        ];
        let mut ids = BTreeMap::new();
        for (facet, name) in values {
            ids.insert(facet, number(self.names.entry(facet).or_default(), &name));
        }
        let entry = Entry { place, layout, ids, record };
        let same = |known: &Entry| known.place == place && known.record.cell == entry.record.cell;
        match self.entries.iter().position(same) {
            Some(at) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
    }

    fn place(&mut self, record: &Record) -> usize {
        let machine = number(&mut self.machines, &record.machine);
        let dataset = &record.cell.dataset;
        if let Some(at) = self.places.iter().position(|p| p.dataset == *dataset && p.machine == machine) {
            return at;
        }
        let mut name = title(dataset);
        if self.machines.len() > 1 {
            name = format!("{name}, machine {}", machine + 1);
        }
        if self.places.iter().any(|place| place.name == name) {
            name = format!("{name} ({})", self.places.len() + 1);
        }
        self.places.push(Place { name, dataset: dataset.clone(), machine, layouts: Vec::new() });
        self.places.len() - 1
    }
}

/// What a dataset is called: a survey that was made for a sweep by its size, not by its file.
fn title(dataset: &DatasetFacts) -> String {
    let (objects, epochs) = dataset.axes;
    let size = dataset.shape.get(objects).zip(dataset.shape.get(epochs));
    let made = size.and_then(|(objects, epochs)| {
        let (name, seed) = dataset.name.rsplit_once(&format!("-{objects}x{epochs}-"))?;
        seed.parse::<u64>().ok()?;
        Some(format!("{name}, {objects} objects × {epochs} epochs"))
    });
    made.unwrap_or_else(|| dataset.name.clone())
}

/// Where `value` is in `values`; it is added if it is new.
fn number<T: PartialEq + Clone>(values: &mut Vec<T>, value: &T) -> usize {
    values.iter().position(|known| known == value).unwrap_or_else(|| {
        values.push(value.clone());
        values.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surveys_are_named_by_their_size() {
        let check = |name: &str, expected: &str| {
            let dataset =
                DatasetFacts { name: name.to_owned(), shape: vec![2, 500, 40], item_bytes: 4, axes: (1, 2) };
            assert_eq!(title(&dataset), expected);
        };
        check("photometry-500x40-20260101", "photometry, 500 objects × 40 epochs");
        check("photometry-501x40-20260101", "photometry-501x40-20260101");
        check("my-500x40-data", "my-500x40-data");
        check("plain", "plain");
    }
}
