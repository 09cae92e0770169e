//! What is asked for, as numbers of objects, epochs and measurements.

use std::ops::Range;

use zarrange_grid::index;

use crate::LightCurveError;
use crate::curves::memory::Budget;
use crate::store::LightCurveStore;
use crate::store::memory::{ALLOWANCE, Share, bounded};
use crate::store::schema::{MEASUREMENT, OBJECT};
use crate::store::side::each_number;

/// The side variable of times.
pub(super) const TIME: &str = "time";

/// What positions on the sky may be called, in degrees.
const RA: [&str; 5] = ["ra", "RA", "ra_deg", "raj2000", "RAJ2000"];
const DEC: [&str; 5] = ["dec", "DEC", "dec_deg", "dej2000", "DEJ2000"];

/// What a label that is asked for takes while it is looked for, beside its text.
const WANTED_BYTES: u64 = 128;

/// Which light curves are wanted, and what of them; all of what is not said.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Objects.
    pub objects: Which,
    /// Labels of measurements, or numbers where there are no labels.
    pub measurements: Vec<String>,
    /// Epochs.
    pub epochs: When,
    /// Arrays of values.
    pub arrays: Vec<String>,
    /// Rows without any value are kept.
    pub gaps: bool,
    /// What is not recorded as filled is left out.
    pub recorded: bool,
}

/// Which objects.
#[derive(Clone, Debug, Default)]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// Those with these labels, or numbers where there are no labels.
    Labels(Vec<String>),
    /// Those with these numbers.
    Numbers(Vec<u64>),
    /// Those within a radius of a position, in degrees.
    Cone {
        /// Right ascension.
        ra: f64,
        /// Declination.
        dec: f64,
        /// Radius.
        radius: f64,
    },
    /// Those between two right ascensions, eastwards from the first one, and two declinations, in degrees.
    Box {
        /// Right ascensions; the second may be the smaller number, beyond 360.
        ra: [f64; 2],
        /// Declinations.
        dec: [f64; 2],
    },
}

/// Which epochs.
#[derive(Clone, Debug, Default)]
pub enum When {
    /// All of them.
    #[default]
    All,
    /// Those with these labels, or numbers where there are no labels.
    Labels(Vec<String>),
    /// Those from one time to another, both included.
    Times {
        /// The first time.
        from: f64,
        /// The last one.
        to: f64,
    },
}

impl Query {
    /// Memory that what it names takes, while it is looked for.
    pub(super) fn memory_bytes(&self) -> u64 {
        match &self.objects {
            Which::Labels(labels) => labels
                .iter()
                .fold(0, |bytes: u64, label| bytes.saturating_add(label.len() as u64 + WANTED_BYTES)),
            Which::Numbers(numbers) => 16 * numbers.len() as u64,
            Which::All | Which::Cone { .. } | Which::Box { .. } => 0,
        }
    }
}

/// Objects, in their order.
#[derive(Debug)]
pub(super) enum Numbers {
    Range(Range<u64>),
    List(Vec<u64>),
}

impl LightCurveStore {
    /// The numbers of the objects that are meant, in their order, each once, within `bytes_max`.
    ///
    /// # Errors
    /// As [`curves`](Self::curves), for objects.
    pub fn numbers_of(&self, which: &Which, bytes_max: u64) -> Result<Vec<u64>, LightCurveError> {
        let mut budget = Budget::new(bytes_max);
        Ok(match self.objects(which, &mut budget)? {
            Numbers::Range(range) => {
                budget.list("numbers of objects", range.end - range.start, 8)?;
                range.collect()
            }
            Numbers::List(list) => list,
        })
    }

    /// The numbers of what has these labels along a dimension, in the order of the labels: where it has none, of what has these numbers.
    ///
    /// # Errors
    /// [`LightCurveError::NoLabel`] if one is not there, or as [`find`](Self::find).
    pub fn places(
        &self,
        dimension: &str,
        labels: &[String],
        bytes_max: u64,
    ) -> Result<Vec<u64>, LightCurveError> {
        self.places_within(dimension, labels, Share::all(bytes_max))
    }

    pub(super) fn objects(&self, which: &Which, budget: &mut Budget) -> Result<Numbers, LightCurveError> {
        let (objects, share) = (self.schema().objects(), budget.share());
        let numbers = match which {
            Which::All => Numbers::Range(0..objects.size),
            Which::Labels(labels) => Numbers::List(sorted(self.places_within(OBJECT, labels, share)?)),
            Which::Numbers(numbers) => {
                if let Some(beyond) = numbers.iter().find(|number| **number >= objects.size) {
                    let (dimension, size) = (OBJECT.to_owned(), objects.size);
                    return Err(LightCurveError::Index { dimension, index: *beyond, size });
                }
                Numbers::List(sorted(numbers.clone()))
            }
            Which::Cone { ra, dec, radius } => {
                let (ra, dec) = (ra.to_radians(), dec.to_radians());
                // The haversine of the radius, which is exact where it is small.
                let most = (radius.to_radians() / 2.0).sin().powi(2);
                Numbers::List(self.on_the_sky(share, &|other_ra, other_dec| {
                    let (other_ra, other_dec) = (other_ra.to_radians(), other_dec.to_radians());
                    let d = ((other_dec - dec) / 2.0).sin().powi(2);
                    let r = ((other_ra - ra) / 2.0).sin().powi(2);
                    *radius >= 180.0 || d + dec.cos() * other_dec.cos() * r <= most
                })?)
            }
            Which::Box { ra, dec } => {
                let whole = ra[1] - ra[0] >= 360.0;
                let width = (ra[1] - ra[0]).rem_euclid(360.0);
                Numbers::List(self.on_the_sky(share, &|other_ra, other_dec| {
                    let east = (other_ra - ra[0]).rem_euclid(360.0);
                    (whole || east <= width) && (dec[0]..=dec[1]).contains(&other_dec)
                })?)
            }
        };
        if let Numbers::List(list) = &numbers {
            budget.list("numbers of objects", list.capacity() as u64, 8)?;
        }
        Ok(numbers)
    }

    /// Objects whose right ascension and declination, in degrees, are `inside`; what is read and found is within three times `share`.
    fn on_the_sky(
        &self,
        share: Share,
        inside: &dyn Fn(f64, f64) -> bool,
    ) -> Result<Vec<u64>, LightCurveError> {
        let side = &self.schema().objects().side;
        let called = |names: &'static [&str; 5]| {
            let found = names.iter().copied().find(|name| side.iter().any(|side| side == name));
            found.ok_or_else(|| LightCurveError::NoPositions { location: self.label(), side: side.clone() })
        };
        let ra = self.numbers(called(&RA)?, share)?;
        let (mut at, mut found) = (0, Vec::new());
        let most = bounded(share.bytes / 8);
        each_number(&self.side(called(&DEC)?)?, share, &mut |dec| {
            // One more says that there are too many.
            if inside(ra[index(at)], dec) && found.len() <= most {
                found.push(at);
            }
            at += 1;
        })?;
        Ok(found)
    }

    pub(super) fn measurements(&self, labels: &[String], share: Share) -> Result<Vec<u64>, LightCurveError> {
        match self.schema().dimension(MEASUREMENT) {
            Some(dimension) if labels.is_empty() => Ok((0..dimension.size).collect()),
            None if labels.is_empty() => Ok(vec![0]),
            _ => Ok(sorted(self.places_within(MEASUREMENT, labels, share)?)),
        }
    }

    pub(super) fn epochs(&self, when: &When, share: Share) -> Result<Vec<u64>, LightCurveError> {
        let epochs = self.schema().epochs();
        Ok(match when {
            When::All => (0..epochs.size).collect(),
            When::Labels(labels) => sorted(self.places_within(&epochs.name, labels, share)?),
            When::Times { from, to } => {
                if !epochs.side.iter().any(|side| side == TIME) {
                    return Err(LightCurveError::NoTimes { location: self.label(), variable: TIME });
                }
                let times = self.numbers(TIME, share)?;
                (0..)
                    .zip(times)
                    .filter(|(_, time)| (*from..=*to).contains(time))
                    .map(|(epoch, _)| epoch)
                    .collect()
            }
        })
    }

    fn places_within(
        &self,
        dimension: &str,
        labels: &[String],
        share: Share,
    ) -> Result<Vec<u64>, LightCurveError> {
        let found = self.find_within(dimension, labels, share)?.into_iter().zip(labels);
        let places = found.map(|(place, label)| place.ok_or_else(|| self.no_label(dimension, label)));
        places.collect()
    }

    fn no_label(&self, dimension: &str, label: &str) -> LightCurveError {
        const SHOWN: u64 = 5;
        let count = self.schema().dimension(dimension).map_or(0, |dimension| dimension.size);
        let places: Vec<u64> = (0..count.min(SHOWN)).collect();
        let some = self
            .labels_at(dimension, &places, Share::all(ALLOWANCE))
            .map(|cells| (0..places.len()).map(|k| cells.text(k).into_owned()).collect());
        let (dimension, label) = (dimension.to_owned(), label.to_owned());
        LightCurveError::NoLabel { dimension, label, some: some.unwrap_or_default(), count }
    }

    /// Whether each measurement of each epoch is recorded.
    pub(super) fn recorded(
        &self,
        epochs: &[u64],
        measurements: &[u64],
    ) -> Result<Vec<bool>, LightCurveError> {
        let record = self.record().ok_or_else(|| LightCurveError::NoRecord { location: self.label() })?;
        let (times, mut recorded) = (record.times()?, Vec::new());
        for epoch in epochs {
            let of = |m: &u64| times.of(*epoch).get(index(*m)).is_some_and(|time| !time.is_nan());
            recorded.extend(measurements.iter().map(of));
        }
        Ok(recorded)
    }
}

/// In their order, each once.
fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}
