//! Observations that wait to be added.

use std::ops::Range;

use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::sequence::bands::Bands;
use crate::store::sequence::columns::Column;
use crate::table::BANDS_MAX;

/// What adding an observation takes beside what it is: the chunk that it lies in, and its object.
const WORK_BYTES: usize = 16 + size_of::<Group>();

/// Where an observation was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The table.
    pub(crate) table: u32,
    /// Where in it.
    pub(crate) place: u64,
}

/// Why an observation cannot be added.
pub(crate) enum Refused<'a> {
    /// It is there with another value.
    Differs { column: usize, there: &'a [u8], given: &'a [u8] },
    /// It was given before, with another value.
    Twice { first: Origin, column: usize, there: &'a [u8], given: &'a [u8] },
    /// It was given before, and that was refused.
    With(Origin),
    /// The store has as many bands as there can be.
    Bands(&'a str),
}

/// What becomes of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not there.
    New,
    /// It is there.
    Stored,
    /// It is the same as another one given, in whose place it is.
    United,
    /// It cannot be added.
    Refused,
}

/// An observation, without its values.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) object: u64,
    pub(super) time: f64,
    /// Its place along the sequence; of one that is united with another the number of that.
    pub(super) place: u64,
    /// How far from the time that was found.
    away: f64,
    pub(super) origin: Origin,
    /// Its number in the order given.
    number: u32,
    /// That one of the names of bands.
    pub(super) band: u16,
    pub(super) state: State,
}

/// The observations of one object, and the places that it has used.
pub(super) struct Group {
    pub(super) object: u64,
    rows: Range<u32>,
    used: u64,
}

/// Observations that wait to be added.
pub(crate) struct Observations {
    columns: Vec<Column>,
    /// Where the value of each column begins among those of an observation, and their end.
    starts: Vec<usize>,
    pub(super) rows: Vec<Given>,
    pub(super) values: Vec<u8>,
    bands: Vec<String>,
}

impl Observations {
    /// None, with values of these columns.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let mut starts = vec![0];
        starts.extend(columns.iter().scan(0, |end, column| {
            *end += column.missing.len();
            Some(*end)
        }));
        Self { columns, starts, rows: Vec::new(), values: Vec::new(), bands: Vec::new() }
    }

    /// The arrays that they have values for.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many there is room for within so many bytes; their lists double as they grow.
    pub(crate) fn room(&self, bytes_max: u64) -> usize {
        let each = 2 * (size_of::<Given>() + self.row_bytes()) + WORK_BYTES;
        index(bytes_max / each as u64).min(u32::MAX as usize)
    }

    /// The number of a band; `None` if there are more than can be.
    pub(crate) fn band(&mut self, name: &str) -> Option<u16> {
        let known = self.bands.iter().position(|band| band == name);
        if known.is_none() && self.bands.len() == BANDS_MAX {
            return None;
        }
        let number = known.unwrap_or_else(|| {
            self.bands.push(name.to_owned());
            self.bands.len() - 1
        });
        u16::try_from(number).ok()
    }

    /// Adds one with its `values`, one after the other.
    ///
    /// # Panics
    /// If they are not as many bytes as all columns have.
    pub(crate) fn push(&mut self, (object, time, band): (u64, f64, u16), origin: Origin, values: &[u8]) {
        assert_eq!(values.len(), self.row_bytes(), "a value of each column");
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.values.extend_from_slice(values);
        let (place, away, state) = (0, f64::INFINITY, State::New);
        self.rows.push(Given { object, time, place, away, origin, number, band, state });
    }

    /// Forgets all but the first, as long as they were not sorted.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.rows.truncate(rows);
        self.values.truncate(rows * self.row_bytes());
        if rows == 0 {
            self.bands.clear();
        }
    }

    fn row_bytes(&self) -> usize {
        self.starts[self.columns.len()]
    }

    /// Where the value of the `k`-th column lies among those of an observation.
    pub(super) fn range(&self, k: usize) -> Range<usize> {
        self.starts[k]..self.starts[k + 1]
    }

    /// Where the values of an observation lie.
    pub(super) fn values_of(&self, row: &Given) -> Range<usize> {
        let begin = row.number as usize * self.row_bytes();
        begin..begin + self.row_bytes()
    }

    /// By object and time; those of one time in the order given.
    pub(super) fn sort(&mut self) {
        let key = |row: &Given| (row.object, row.number);
        self.rows.sort_unstable_by(|a, b| {
            let ((object, number), (other_object, other_number)) = (key(a), key(b));
            object.cmp(&other_object).then(a.time.total_cmp(&b.time)).then(number.cmp(&other_number))
        });
    }

    /// Finds those that were given before, in the same band and not further apart than `tolerance`: their values are put together, and where
    /// one differs the second is refused.
    pub(super) fn unite(
        &mut self,
        tolerance: f64,
        refuse: &mut dyn FnMut(Origin, Refused<'_>) -> Result<(), LightCurveError>,
    ) -> Result<(), LightCurveError> {
        // The last one in each band.
        let mut last: Vec<Option<usize>> = vec![None; BANDS_MAX];
        for k in 0..self.rows.len() {
            if k > 0 && self.rows[k].object != self.rows[k - 1].object {
                last.fill(None);
            }
            let band = usize::from(self.rows[k].band);
            let near = |first: &usize| is_near(self.rows[*first].time, self.rows[k].time, tolerance);
            let Some(first) = last[band].filter(near) else {
                last[band] = Some(k);
                continue;
            };
            let (there, given) = (self.values_of(&self.rows[first]), self.values_of(&self.rows[k]));
            let value = |of: &Range<usize>, c: usize| {
                &self.values[of.start + self.starts[c]..of.start + self.starts[c + 1]]
            };
            let differs = self.columns.iter().enumerate().position(|(c, column)| {
                let (there, given) = (value(&there, c), value(&given, c));
                there != given && !column.is_missing(there) && !column.is_missing(given)
            });
            if let Some(column) = differs {
                let (there, given) = (value(&there, column), value(&given, column));
                refuse(
                    self.rows[k].origin,
                    Refused::Twice { first: self.rows[first].origin, column, there, given },
                )?;
                self.rows[k].state = State::Refused;
                continue;
            }
            for (c, column) in self.columns.iter().enumerate() {
                let from = given.start + self.starts[c]..given.start + self.starts[c + 1];
                if !column.is_missing(&self.values[from.clone()]) {
                    self.values.copy_within(from, there.start + self.starts[c]);
                }
            }
            (self.rows[k].state, self.rows[k].place) = (State::United, first as u64);
        }
        Ok(())
    }

    /// The code of each band, where there are `bands`. Those that are new get one, and where there is none left observations are refused.
    pub(super) fn codes(
        &mut self,
        bands: Option<&mut Bands>,
        refuse: &mut dyn FnMut(Origin, Refused<'_>) -> Result<(), LightCurveError>,
    ) -> Result<Vec<u8>, LightCurveError> {
        let mut codes = vec![None; self.bands.len()];
        let Some(bands) = bands else { return Ok(vec![0; codes.len()]) };
        for row in self.rows.iter_mut().filter(|row| row.state == State::New) {
            let (code, name) = (&mut codes[usize::from(row.band)], &self.bands[usize::from(row.band)]);
            *code = code.or_else(|| bands.code(name));
            if code.is_none() {
                row.state = State::Refused;
                refuse(row.origin, Refused::Bands(name))?;
            }
        }
        Ok(codes.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The objects that they are of, in their order.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut at = 0;
        for of_one in self.rows.chunk_by(|a, b| a.object == b.object) {
            let end = at + u32::try_from(of_one.len()).unwrap_or(u32::MAX);
            groups.push(Group { object: of_one[0].object, rows: at..end, used: 0 });
            at = end;
        }
        groups
    }

    /// Notes that the object of `group` has an observation at a place: that is the one given which is next to its time in this band.
    pub(super) fn note(
        &mut self,
        group: &mut Group,
        (place, time): (u64, f64),
        is_band: impl Fn(u16) -> bool,
        tolerance: f64,
    ) {
        group.used = group.used.max(place + 1);
        let rows = &mut self.rows[group.rows.start as usize..group.rows.end as usize];
        let fits = |row: &Given| matches!(row.state, State::New | State::Stored) && is_band(row.band);
        let near = |row: &&Given| is_near(row.time, time, tolerance);
        let after = rows.partition_point(|row| row.time < time);
        let before = rows[..after].iter().rev().take_while(near).position(fits).map(|back| after - 1 - back);
        let behind = rows[after..].iter().take_while(near).position(fits).map(|on| after + on);
        let away = |k: &usize| (rows[*k].time - time).abs();
        let next = [before, behind].into_iter().flatten().min_by(|a, b| away(a).total_cmp(&away(b)));
        if let Some(row) = next {
            let away = away(&row);
            let row = &mut rows[row];
            // Where it is there twice, the first one counts.
            if row.state == State::New || away < row.away {
                (row.state, row.place, row.away) = (State::Stored, place, away);
            }
        }
    }

    /// Refuses those that are the same as one that was refused.
    pub(super) fn refuse_united(
        &mut self,
        refuse: &mut dyn FnMut(Origin, Refused<'_>) -> Result<(), LightCurveError>,
    ) -> Result<(), LightCurveError> {
        for k in 0..self.rows.len() {
            if self.rows[k].state == State::United {
                let first = &self.rows[index(self.rows[k].place)];
                if first.state == State::Refused {
                    refuse(self.rows[k].origin, Refused::With(first.origin))?;
                }
            }
        }
        Ok(())
    }

    /// Gives those that are new the next places of their objects; how many they are, and the places that objects have at most.
    pub(super) fn place(&mut self, groups: &[Group]) -> (u64, u64) {
        let (mut new, mut longest) = (0, 0);
        for group in groups {
            let mut next = group.used;
            for row in &mut self.rows[group.rows.start as usize..group.rows.end as usize] {
                if row.state == State::New {
                    row.place = next;
                    next += 1;
                    new += 1;
                }
            }
            longest = longest.max(next);
        }
        (new, longest)
    }
}

/// Whether two times are of the same observation.
fn is_near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance.max(0.0)
}
