//! Measurements as columns.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::LightCurveError;

/// Bands are stored as one byte; the last value means "no measurement".
pub(crate) const BANDS_MAX: usize = 255;

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
    /// [`LightCurveError`] naming the line and column that is wrong, or if more than `bytes_max` would be held.
    pub fn read_csv(path: &Path, bytes_max: u64) -> Result<Self, LightCurveError> {
        let name = path.display().to_string();
        let failed = |source| LightCurveError::Read { path: name.clone(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let gzipped = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        let input: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Self::read(input, &name, bytes_max)
    }

    fn read(input: impl Read, path: &str, bytes_max: u64) -> Result<Self, LightCurveError> {
        let failed = |source| LightCurveError::Csv { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
        let header = reader.headers().map_err(failed)?.clone();
        let mut at = [0; COLUMNS.len()];
        for (at, name) in at.iter_mut().zip(COLUMNS) {
            let found = header.iter().position(|h| h == name);
            *at = found.ok_or(LightCurveError::Column { path: path.to_owned(), name })?;
        }
        let mut table = Names::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            // The row, and its place in the sorted columns.
            let held = (rows.len() as u64 + 1) * (size_of::<Row>() as u64 + 25);
            if held > bytes_max {
                return Err(LightCurveError::Memory { path: path.to_owned(), bytes_max });
            }
            rows.push(table.row(&record, &at, path)?);
        }
        if rows.is_empty() {
            return Err(LightCurveError::Empty { path: path.to_owned() });
        }
        Ok(table.sorted(rows))
    }

    /// Measurements of the object that has most of them.
    pub fn longest(&self) -> usize {
        self.starts.windows(2).map(|w| w[1] - w[0]).max().unwrap_or(0)
    }
}

/// Objects and bands by name, numbered as they appear.
#[derive(Default)]
struct Names {
    objects: Vec<String>,
    numbers: HashMap<String, usize>,
    bands: Vec<String>,
}

impl Names {
    fn row(
        &mut self,
        record: &csv::StringRecord,
        at: &[usize; COLUMNS.len()],
        path: &str,
    ) -> Result<Row, LightCurveError> {
        let line = record.position().map_or(0, csv::Position::line);
        let field = |k: usize| record.get(at[k]).unwrap_or("");
        let wrong = |k: usize, expected| LightCurveError::Value {
            path: path.to_owned(),
            line,
            column: COLUMNS[k],
            value: field(k).to_owned(),
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
        let band = self.bands.iter().position(|b| b == field(2)).unwrap_or_else(|| {
            self.bands.push(field(2).to_owned());
            self.bands.len() - 1
        });
        let band = u8::try_from(band).ok().filter(|b| usize::from(*b) < BANDS_MAX);
        let band = band.ok_or(LightCurveError::Bands { path: path.to_owned(), line, max: BANDS_MAX })?;
        let (mag, magerr) = (number(3)?, number(4)?);
        let object = if let Some(object) = self.numbers.get(field(0)) {
            *object
        } else {
            self.numbers.insert(field(0).to_owned(), self.objects.len());
            self.objects.push(field(0).to_owned());
            self.objects.len() - 1
        };
        Ok(Row { object, time, band, mag, magerr })
    }

    fn sorted(self, mut rows: Vec<Row>) -> LightCurves {
        // Stable: measurements of one time keep the order of the table.
        rows.sort_by(|a, b| a.object.cmp(&b.object).then(a.time.total_cmp(&b.time)));
        let mut starts = vec![0; self.objects.len() + 1];
        for row in &rows {
            starts[row.object + 1] += 1;
        }
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        LightCurves {
            objects: self.objects,
            bands: self.bands,
            starts,
            time: rows.iter().map(|r| r.time).collect(),
            band: rows.iter().map(|r| r.band).collect(),
            mag: rows.iter().map(|r| r.mag).collect(),
            magerr: rows.iter().map(|r| r.magerr).collect(),
        }
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
    }

    #[test]
    fn a_table_beyond_the_memory_is_refused() {
        let text = "object_id,time,band,mag,magerr\na,1,g,2,3\na,2,g,2,3\n";
        assert!(matches!(LightCurves::read(text.as_bytes(), "t", 100), Err(LightCurveError::Memory { .. })));
    }
}
