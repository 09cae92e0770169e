//! Measurements as columns.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use zarrange_array::ArrayError;
use zarrange_io::IoError;

use crate::LightCurveError;

/// Bands are stored as one byte; the last value means "no measurement".
pub(crate) const BANDS_MAX: usize = 255;

/// Names of bands stand in the metadata, which is read as a whole.
const BAND_BYTES_MAX: usize = 1000;

/// What a measurement takes beside its row: its place in the sorted columns, or in the buffer of the sort.
const SORTED_BYTES: u64 = 25;

/// What an object takes beside the bytes of its name: a place among the names, where tables of them double, one in their list, and one
/// of its first measurement.
const NAME_BYTES: u64 = 176;

/// A record being read may take so many times its bytes: its fields and where they end, in buffers that double, and a copy without
/// blanks around them.
const RECORD_PARTS: u64 = 40;

/// Records of this many bytes live in the allowance beside the memory.
const RECORD_BYTES_MIN: u64 = 64 << 10;

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
    /// Reads a CSV table, gzipped or not, with a header of `object_id,time,band,mag,magerr` in any order. An empty `mag` or
    /// `magerr` is NaN; `time` must be finite.
    ///
    /// # Errors
    /// [`LightCurveError`] naming the line and column that is wrong, or if more than `bytes_max` would be held, names, and the record
    /// that is being read, included.
    pub fn read_csv(path: &Path, bytes_max: u64) -> Result<Self, LightCurveError> {
        Self::read(open_csv(path)?, &path.display().to_string(), bytes_max)
    }

    fn read(input: impl Read, path: &str, bytes_max: u64) -> Result<Self, LightCurveError> {
        let limit = Rc::new(Limit { left: Cell::new(0), exceeded: Cell::new(false) });
        let input = Limited { input, limit: limit.clone() };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
        let mut table = Names::new(path, bytes_max);
        let failed = |source, table: &Names<'_>| {
            if limit.exceeded.get() {
                return table.too_much("a record of that length");
            }
            LightCurveError::Csv { path: path.to_owned(), source }
        };
        limit.left.set(table.record_bytes_max());
        let header = reader.headers().map_err(|e| failed(e, &table))?;
        let mut at = [0; COLUMNS.len()];
        for (at, name) in at.iter_mut().zip(COLUMNS) {
            let found = header.iter().position(|h| h == name);
            *at = found.ok_or(LightCurveError::Column { path: path.to_owned(), name })?;
        }
        let mut record = csv::StringRecord::new();
        loop {
            limit.left.set(table.record_bytes_max());
            if !reader.read_record(&mut record).map_err(|e| failed(e, &table))? {
                break;
            }
            let row = table.row(&record, &at)?;
            table.push(row)?;
        }
        if table.rows.is_empty() {
            return Err(LightCurveError::Empty { path: path.to_owned() });
        }
        drop((reader, record));
        Ok(table.sorted())
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

/// The text of a table, gzipped or not.
///
/// # Errors
/// If the file cannot be opened or read.
pub(crate) fn open_csv(path: &Path) -> Result<Box<dyn Read>, LightCurveError> {
    let failed = |source| LightCurveError::Read { path: path.display().to_string(), source };
    let opened = std::fs::File::open(path);
    let file = opened.map_err(|source| ArrayError::Io(IoError::opening(path, source)))?;
    let mut file = BufReader::with_capacity(1 << 18, file);
    let gzipped = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Fails where more is read than is left: a record may have no end.
struct Limited<R> {
    input: R,
    limit: Rc<Limit>,
}

struct Limit {
    left: Cell<u64>,
    exceeded: Cell<bool>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.limit.left.get();
        if left == 0 {
            self.limit.exceeded.set(true);
            return Err(io::Error::other("more than one record may have"));
        }
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let bytes = self.input.read(&mut buffer[..room])?;
        self.limit.left.set(left - bytes as u64);
        Ok(bytes)
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

    /// The most bytes of the next record.
    fn record_bytes_max(&self) -> u64 {
        let left = self.left(self.objects.len(), self.name_bytes, self.rows.capacity()).unwrap_or(0);
        (left / RECORD_PARTS).max(RECORD_BYTES_MIN)
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

    fn row(
        &mut self,
        record: &csv::StringRecord,
        at: &[usize; COLUMNS.len()],
    ) -> Result<Row, LightCurveError> {
        let (line, path) = (record.position().map_or(0, csv::Position::line), self.path);
        let field = |k: usize| record.get(at[k]).unwrap_or("");
        let wrong = |k: usize, expected| LightCurveError::Value {
            path: path.to_owned(),
            line,
            column: COLUMNS[k],
            value: shortened(field(k)),
            expected,
        };
        let number = |k: usize| match field(k) {
            "" => Ok(f64::NAN),
            text => text.parse::<f64>().map_err(|_| wrong(k, "a number, or nothing")),
        };
        let time = field(1).parse::<f64>().ok().filter(|t| t.is_finite());
        let time = time.ok_or_else(|| wrong(1, "a finite number"))?;
        if field(0).is_empty() {
            return Err(wrong(0, "a name"));
        }
        if field(2).len() > BAND_BYTES_MAX {
            return Err(wrong(2, "a name of at most 1000 bytes"));
        }
        let band = self.bands.iter().position(|b| b == field(2)).unwrap_or_else(|| {
            self.bands.push(field(2).to_owned());
            self.bands.len() - 1
        });
        let band = u8::try_from(band).ok().filter(|b| usize::from(*b) < BANDS_MAX);
        let band = band.ok_or(LightCurveError::Bands { path: path.to_owned(), line, max: BANDS_MAX })?;
        let (mag, magerr) = (number(3)?, number(4)?);
        Ok(Row { object: self.object(field(0))?, time, band, mag, magerr })
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
        LightCurves::read(text.as_bytes(), "t.csv", 1 << 20)
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
        check("", "no column \"object_id\"");
        check("object_id,time,band,mag\n", "no column \"magerr\"");
        check(head, "no measurements");
        check(&format!("{head}a,1,g,2,3\na,soon,g,2,3\n"), "line 3: time is \"soon\"");
        check(&format!("{head}a,nan,g,2,3\n"), "time is \"nan\"");
        check(&format!("{head},1,g,2,3\n"), "object_id");
        check(&format!("{head}a,1,g,bright,3\n"), "mag is \"bright\"");
        check(&format!("{head}a,1,g,2\n"), "line: 2");
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
            let error = LightCurves::read(text.as_bytes(), "t.csv", bytes_max).unwrap_err();
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
        check(&rows(&|_| "x".repeat(200_000), 1), 1 << 20, "a record");
        check(&[format!("\"{}", "x\n".repeat(100_000))], 1 << 20, "a record");
        check(&[",".repeat(200_000)], 1 << 20, "a record");
        let text = format!("{},time\n", "object_id".repeat(20_000));
        let error = LightCurves::read(text.as_bytes(), "t", 1 << 20).unwrap_err();
        assert!(matches!(error, LightCurveError::Memory { .. }), "{error}");
        let long = LightCurves::read(
            format!("object_id,time,band,mag,magerr\n{},1,g,2,3\n", "x".repeat(200_000)).as_bytes(),
            "t",
            1 << 24,
        );
        assert_eq!(long.unwrap().objects[0].len(), 200_000);
    }
}
