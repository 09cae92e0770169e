//! Measurements as columns.

use std::collections::HashMap;
use std::path::Path;

use zarrange_table::{Batch, Table};

use crate::LightCurveError;

/// Bands are stored as one byte; the last value means "no measurement".
pub(crate) const BANDS_MAX: usize = 255;

/// Names of bands stand in the metadata, which is read as a whole.
pub(crate) const BAND_BYTES_MAX: usize = 1000;

/// What a measurement takes beside its row: its place in the sorted columns, or in the buffer of the sort.
const SORTED_BYTES: u64 = 25;

/// What an object takes beside the bytes of its name: a place among the names, where tables of them double, one in their list, and one
/// of its first measurement.
const NAME_BYTES: u64 = 176;

/// Rows that there is room for at least, once there is a row.
const ROWS_MIN: usize = 1024;

/// The columns of a table, in the order of the header that is asked for.
const COLUMNS: [&str; 5] = ["object_id", "time", "band", "mag", "magerr"];

/// Measurements of many objects, sorted by object (in order of first appearance) and time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LightCurves {
    /// Names of the objects.
    pub objects: Vec<String>,
    /// Names of the bands; measurements hold positions in this list.
    pub bands: Vec<String>,
    /// First measurement of each object, and the number of all measurements.
    pub starts: Vec<usize>,
    /// Times.
    pub time: Vec<f64>,
    /// Bands.
    pub band: Vec<u8>,
    /// Magnitudes.
    pub mag: Vec<f64>,
    /// Their errors.
    pub magerr: Vec<f64>,
}

/// A measurement as read.
struct Row {
    object: usize,
    time: f64,
    band: u8,
    mag: f64,
    magerr: f64,
}

impl LightCurves {
    /// Reads a table in any format that has the columns `object_id`, `time`, `band`, `mag` and `magerr`, or `columns` that are said to be
    /// these. An empty `mag` or `magerr` is NaN; `time` must be finite.
    ///
    /// # Errors
    /// [`LightCurveError`] naming the place and column that is wrong, or if more than `bytes_max` would be held, names included.
    pub fn read_table(
        path: &Path,
        columns: &[(String, String)],
        bytes_max: u64,
    ) -> Result<Self, LightCurveError> {
        let (mut table, name) = (Table::open(path)?, path.display().to_string());
        if let Some((unknown, _)) = columns.iter().find(|(role, _)| !COLUMNS.contains(&role.as_str())) {
            return Err(LightCurveError::Role { name: unknown.clone(), roles: &COLUMNS });
        }
        let mut wanted = Vec::new();
        for role in COLUMNS {
            let called = columns.iter().find(|(known, _)| known == role).map_or(role, |(_, column)| column);
            let missing = || LightCurveError::Column { path: name.clone(), name: called.to_owned() };
            wanted.push(table.position(called).ok_or_else(missing)?);
        }
        let (mut names, mut batch) = (Names::new(&name, bytes_max), Batch::default());
        while table.read(&wanted, &mut batch)? {
            if let Some(bad) = batch.bad().first() {
                let (place, reason) = (format!("{} {}", table.places(), bad.place), bad.reason.clone());
                return Err(LightCurveError::Row { path: name.clone(), place, reason });
            }
            for row in 0..batch.rows() {
                let place = || format!("{} {}", table.places(), batch.place(row));
                let row = names.row(&batch, row, &place)?;
                names.push(row)?;
            }
        }
        if names.rows.is_empty() {
            return Err(LightCurveError::Empty { path: name });
        }
        drop(batch);
        Ok(names.sorted())
    }

    /// Memory that they take.
    pub fn memory_bytes(&self) -> u64 {
        let names: u64 = self.objects.iter().map(|name| name.len() as u64).sum();
        let objects = (self.objects.len() as u64).saturating_mul(NAME_BYTES);
        names.saturating_add(objects).saturating_add((self.time.len() as u64).saturating_mul(SORTED_BYTES))
    }

    /// Measurements of the object that has most of them.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}

/// A table so far: objects and bands by name, numbered as they appear, and the rows as they stand in it.
struct Names<'a> {
    path: &'a str,
    bytes_max: u64,
    objects: HashMap<String, usize>,
    /// Bytes of the names of all objects.
    name_bytes: u64,
    bands: Vec<String>,
    rows: Vec<Row>,
}

impl<'a> Names<'a> {
    fn new(path: &'a str, bytes_max: u64) -> Self {
        let (objects, bands, rows) = (HashMap::new(), Vec::new(), Vec::new());
        Self { path, bytes_max, objects, name_bytes: 0, bands, rows }
    }

    /// Memory that is left beside so many objects, names of so many bytes, and rows.
    fn left(&self, objects: usize, name_bytes: u64, rows: usize) -> Option<u64> {
        let names = (objects as u64).checked_mul(NAME_BYTES)?.checked_add(name_bytes)?;
        let rows = (rows as u64).checked_mul(size_of::<Row>() as u64 + SORTED_BYTES)?;
        self.bytes_max.checked_sub(names.checked_add(rows)?)
    }

    fn too_much(&self, what: &'static str) -> LightCurveError {
        let (path, bytes_max) = (self.path.to_owned(), self.bytes_max);
        let (objects, rows, name_bytes) =
            (self.objects.len() as u64, self.rows.len() as u64, self.name_bytes);
        LightCurveError::Memory { path, bytes_max, what, rows, objects, name_bytes }
    }

    /// Adds a row, if there is memory for it.
    fn push(&mut self, row: Row) -> Result<(), LightCurveError> {
        let now = self.rows.len();
        if now == self.rows.capacity() {
            let fits = |rows: &usize| self.left(self.objects.len(), self.name_bytes, *rows).is_some();
            let more = [now / 2, now / 8].map(|step| now + step.max(ROWS_MIN)).into_iter().chain([now + 1]);
            let room = more.into_iter().find(fits).ok_or_else(|| self.too_much("more measurements"))?;
            self.rows.reserve_exact(room - now);
        }
        self.rows.push(row);
        Ok(())
    }

    fn row(&mut self, batch: &Batch, row: usize, place: &dyn Fn() -> String) -> Result<Row, LightCurveError> {
        let path = self.path;
        let wrong = |k: usize, value: &str, expected| LightCurveError::Value {
            path: path.to_owned(),
            place: place(),
            column: COLUMNS[k],
            value: shortened(value),
            expected,
        };
        let number = |k: usize| {
            let number = batch.cells(k).number(row);
            number.map_err(|error| wrong(k, &error.0, "a number, or nothing"))
        };
        let time = batch.cells(1).number(row).ok().filter(|time| time.is_finite());
        let time = time.ok_or_else(|| wrong(1, &batch.cells(1).text(row), "a finite number"))?;
        let object = batch.cells(0).text(row);
        if object.is_empty() {
            return Err(wrong(0, "", "a name"));
        }
        let name = batch.cells(2).text(row);
        if name.len() > BAND_BYTES_MAX {
            return Err(wrong(2, &name, "a name of at most 1000 bytes"));
        }
        let band = self.bands.iter().position(|band| *band == name).unwrap_or_else(|| {
            self.bands.push(name.clone().into_owned());
            self.bands.len() - 1
        });
        let band = u8::try_from(band).ok().filter(|b| usize::from(*b) < BANDS_MAX);
        let too_many = || LightCurveError::Bands { path: path.to_owned(), place: place(), max: BANDS_MAX };
        let band = band.ok_or_else(too_many)?;
        let (mag, magerr) = (number(3)?, number(4)?);
        Ok(Row { object: self.object(&object)?, time, band, mag, magerr })
    }

    /// The number of an object; a new one, if there is memory for it.
    fn object(&mut self, name: &str) -> Result<usize, LightCurveError> {
        if let Some(object) = self.objects.get(name) {
            return Ok(*object);
        }
        let (number, name_bytes) = (self.objects.len(), self.name_bytes.saturating_add(name.len() as u64));
        self.left(number + 1, name_bytes, self.rows.capacity())
            .ok_or_else(|| self.too_much("more names of objects"))?;
        self.objects.insert(name.to_owned(), number);
        self.name_bytes = name_bytes;
        Ok(number)
    }

    fn sorted(self) -> LightCurves {
        let mut rows = self.rows;
        let mut objects = vec![String::new(); self.objects.len()];
        self.objects.into_iter().for_each(|(name, number)| objects[number] = name);
        // Stable: measurements of one time keep the order of the table.
        rows.sort_by(|a, b| a.object.cmp(&b.object).then(a.time.total_cmp(&b.time)));
        let mut starts = vec![0; objects.len() + 1];
        for row in &rows {
            starts[row.object + 1] += 1;
        }
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        LightCurves {
            objects,
            bands: self.bands,
            starts,
            time: rows.iter().map(|r| r.time).collect(),
            band: rows.iter().map(|r| r.band).collect(),
            mag: rows.iter().map(|r| r.mag).collect(),
            magerr: rows.iter().map(|r| r.magerr).collect(),
        }
    }
}

/// A field as a message shows it.
fn shortened(text: &str) -> String {
    const CHARS: usize = 100;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LightCurves, LightCurveError> {
        read_within(text, 1 << 20)
    }

    fn read_within(text: &str, bytes_max: u64) -> Result<LightCurves, LightCurveError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        LightCurves::read_table(&path, &[], bytes_max)
    }

    #[test]
    fn rows_are_grouped_by_object_and_sorted_by_time() {
        let table =
            read("mag,band,object_id,magerr,time\n3,g,b,.3,2\n1,R,a,.1,5\n2,g,b,,1\n4,g,a,.4,5\n").unwrap();
        assert_eq!(table.objects, ["b", "a"]);
        assert_eq!(table.bands, ["g", "R"]);
        assert_eq!(table.starts, [0, 2, 4]);
        assert_eq!(table.time, [1.0, 2.0, 5.0, 5.0]);
        assert_eq!(table.mag, [2.0, 3.0, 1.0, 4.0]);
        assert_eq!(table.band, [0, 0, 1, 0]);
        assert!(table.magerr[0].is_nan());
        assert_eq!(table.longest(), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expected: &str| {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        let head = "object_id,time,band,mag,magerr\n";
        check("", "it is empty");
        check("object_id,time,band,mag\n", "no column \"magerr\"");
        check(head, "no measurements");
        check(&format!("{head}a,1,g,2,3\na,soon,g,2,3\n"), "line 3: time is \"soon\"");
        check(&format!("{head}a,nan,g,2,3\n"), "time is \"nan\"");
        check(&format!("{head},1,g,2,3\n"), "object_id");
        check(&format!("{head}a,1,g,bright,3\n"), "mag is \"bright\"");
        check(&format!("{head}a,1,g,2\n"), "line 2: 4 fields");
        let many: Vec<String> = (0..256).map(|k| format!("a,1,band{k},2,3\n")).collect();
        check(&format!("{head}{}", many.concat()), "more than 255 bands");
        check(
            &format!("{head}a,1,{},2,3\n", "g".repeat(1001)),
            "gggg...\", expected a name of at most 1000 bytes",
        );
    }

    /// Each kind of memory has its limit, and says what it is.
    #[test]
    fn a_table_beyond_the_memory_is_refused() {
        let check = |rows: &[String], bytes_max: u64, expected: &str| {
            let text = format!("object_id,time,band,mag,magerr\n{}", rows.concat());
            let error = read_within(&text, bytes_max).unwrap_err();
            assert!(matches!(error, LightCurveError::Memory { .. }), "{error}");
            let error = error.to_string();
            assert!(error.contains(expected) && error.contains("--max-mem"), "{error}");
            assert!(error.len() < 400, "{error}");
        };
        let rows = |name: &dyn Fn(usize) -> String, count: usize| {
            (0..count).map(|k| format!("{},1,g,2,3\n", name(k))).collect::<Vec<_>>()
        };
        check(&rows(&|_| "a".to_owned(), 2), 300, "measurements");
        check(&rows(&|_| "a".to_owned(), 5000), 200_000, "measurements");
        check(&rows(&|k| k.to_string(), 1000), 150_000, "names of objects");
        check(&rows(&|k| format!("{k}{}", "x".repeat(5000)), 100), 300_000, "names of objects");
        let long = read_within(
            &format!("object_id,time,band,mag,magerr\n{},1,g,2,3\n", "x".repeat(200_000)),
            1 << 24,
        );
        assert_eq!(long.unwrap().objects[0].len(), 200_000);
    }

    #[test]
    fn columns_may_have_other_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, "id,time,filter,mag,magerr\na,1,g,2,3\n").unwrap();
        let columns = |pairs: &[(&str, &str)]| {
            let owned = pairs.iter().map(|(role, column)| ((*role).to_owned(), (*column).to_owned()));
            LightCurves::read_table(&path, &owned.collect::<Vec<_>>(), 1 << 20)
        };
        let told = [("object_id", "id"), ("band", "filter")];
        assert_eq!(columns(&told).unwrap().bands, ["g"]);
        assert!(columns(&told[..1]).unwrap_err().to_string().contains("no column \"band\""));
        assert!(columns(&[("flux", "mag")]).unwrap_err().to_string().contains("\"flux\""));
    }
}
