//! Tables as columns: labels and side variables of a dimension, one row for each index.

use std::path::Path;

use serde_json::{Map, json};
use zarrange_table::{Batch, Cells, Table};

use crate::LightCurveError;
use crate::store::columns::{Column, Named};

/// What a field takes beside its bytes: a string, its allocation, and the same again while the columns are told apart.
const FIELD_BYTES: u64 = 96;

/// What a row of a column takes, so far.
enum Read {
    Text(Vec<String>),
    Float(Vec<f64>),
    Integer(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
}

/// Reads a table in any format: the first column are labels, the others side variables. Where a format has no types, a column is of whole
/// numbers, of numbers (an empty field is NaN), of true and false, or else of text. `bytes_max` bounds what is held.
///
/// # Errors
/// [`LightCurveError`], naming the line where one is wrong.
pub fn read_columns(path: &Path, bytes_max: u64) -> Result<(Column, Vec<Named>), LightCurveError> {
    let (mut table, name) = (Table::open(path)?, path.display().to_string());
    let wanted: Vec<usize> = (0..table.fields().len()).collect();
    let (mut batch, mut columns, mut bytes) = (Batch::default(), Vec::new(), 0_u64);
    while table.read(&wanted, &mut batch)? {
        if let Some(bad) = batch.bad().first() {
            let (place, reason) = (format!("{} {}", table.places(), bad.place), bad.reason.clone());
            return Err(LightCurveError::Row { path: name, place, reason });
        }
        for (k, cells) in batch.columns().iter().enumerate() {
            if columns.len() <= k {
                columns.push(Read::like(cells));
            }
            bytes = bytes.saturating_add(columns[k].add(cells));
        }
        if bytes > bytes_max {
            return Err(LightCurveError::TableMemory { path: name, rows: columns[0].len(), bytes_max });
        }
    }
    let mut columns = columns.into_iter();
    let Some(labels) = columns.next().filter(|labels| labels.len() > 0) else {
        return Err(LightCurveError::Empty { path: name });
    };
    let side = table.fields()[1..].iter().zip(columns).map(|(field, column)| {
        let units = field.unit.as_ref().map(|unit| ("units".to_owned(), json!(unit)));
        Named { name: field.name.clone(), column: column.column(), attributes: Map::from_iter(units) }
    });
    Ok((labels.labels(), side.collect()))
}

impl Read {
    fn like(cells: &Cells) -> Self {
        match cells {
            Cells::Text(_) => Self::Text(Vec::new()),
            Cells::Float(_) | Cells::Single(_) => Self::Float(Vec::new()),
            Cells::Integer(_) => Self::Integer(Vec::new()),
            Cells::Bool(_) => Self::Bool(Vec::new()),
        }
    }

    fn len(&self) -> u64 {
        (match self {
            Self::Text(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Bool(values) => values.len(),
        }) as u64
    }

    /// Adds elements of the same type; the bytes that they take.
    fn add(&mut self, cells: &Cells) -> u64 {
        match (self, cells) {
            (Self::Text(values), Cells::Text(texts)) => {
                let before = values.len();
                values.extend((0..texts.len()).map(|k| texts.get(k).to_owned()));
                values[before..].iter().map(|text| text.len() as u64 + FIELD_BYTES).sum()
            }
            (Self::Float(values), Cells::Float(more)) => {
                values.extend_from_slice(more);
                2 * size_of_val(&more[..]) as u64
            }
            (Self::Float(values), Cells::Single(more)) => {
                values.extend(more.iter().map(|value| f64::from(*value)));
                4 * size_of_val(&more[..]) as u64
            }
            (Self::Integer(values), Cells::Integer(more)) => {
                values.extend_from_slice(more);
                2 * size_of_val(&more[..]) as u64
            }
            (Self::Bool(values), Cells::Bool(more)) => {
                values.extend_from_slice(more);
                2 * size_of_val(&more[..]) as u64
            }
            (Self::Text(_) | Self::Float(_) | Self::Integer(_) | Self::Bool(_), _) => {
                unreachable!("a column has one type in all batches")
            }
        }
    }

    /// Labels, as they are written: 5.50 is not 5.5.
    fn labels(self) -> Column {
        match self {
            Self::Text(fields) => Column::whole(&fields).unwrap_or(Column::Text(fields)),
            other @ (Self::Float(_) | Self::Integer(_) | Self::Bool(_)) => other.column(),
        }
    }

    fn column(self) -> Column {
        match self {
            Self::Text(fields) => Column::of(fields),
            Self::Float(values) => Column::Float(values),
            Self::Integer(values) => match values.iter().copied().collect::<Option<Vec<i64>>>() {
                Some(whole) => Column::Integer(whole),
                // Only numbers can be missing.
                None => {
                    Column::of(values.iter().map(|v| v.map_or(String::new(), |v| v.to_string())).collect())
                }
            },
            Self::Bool(values) => match values.iter().copied().collect::<Option<Vec<bool>>>() {
                Some(known) => Column::Bool(known),
                None => {
                    Column::Text(values.iter().map(|v| v.map_or(String::new(), |v| v.to_string())).collect())
                }
            },
        }
    }
}

impl Column {
    /// The column of these fields, of the first type that all of them have.
    fn of(fields: Vec<String>) -> Self {
        let all = |fits: &dyn Fn(&str) -> bool| fields.iter().all(|field| fits(field));
        if let Some(numbers) = Self::whole(&fields) {
            return numbers;
        }
        if all(&|f| f == "true" || f == "false") {
            return Self::Bool(fields.iter().map(|f| f == "true").collect());
        }
        if all(&|f| f.is_empty() || is_number(f)) && !all(&str::is_empty) {
            return Self::Float(fields.iter().map(|f| f.parse().unwrap_or(f64::NAN)).collect());
        }
        Self::Text(fields)
    }

    /// Whole numbers, if all fields are such as they are written.
    fn whole(fields: &[String]) -> Option<Self> {
        let whole = |field: &String| field.parse::<i64>().ok().filter(|n| n.to_string() == *field);
        fields.iter().map(whole).collect::<Option<Vec<i64>>>().map(Self::Integer)
    }
}

/// Whether nothing is lost where a field becomes a number: what begins with a zero is a name, and so are more digits than one has.
fn is_number(field: &str) -> bool {
    /// Whole numbers up to this are numbers of 64 bits.
    const WHOLE_MAX: u64 = 1 << 53;
    let digits = field.trim_start_matches(['-', '+']);
    let begins =
        |with: &str, then: fn(char) -> bool| digits.strip_prefix(with).is_some_and(|r| r.starts_with(then));
    let is_whole = digits.chars().all(|c| c.is_ascii_digit());
    let too_long = is_whole && digits.parse::<u64>().map_or(true, |n| n > WHOLE_MAX);
    field.parse::<f64>().is_ok() && !begins("0", |c| c.is_ascii_digit()) && !too_long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_first_type_that_fits() {
        let check = |fields: &[&str], expected: Column| {
            let fields = fields.iter().map(|f| (*f).to_owned()).collect();
            let found = Column::of(fields);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        };
        check(&["1", "-20"], Column::Integer(vec![1, -20]));
        check(&["1", "2.5", "", "nan"], Column::Float(vec![1.0, 2.5, f64::NAN, f64::NAN]));
        check(&["true", "false"], Column::Bool(vec![true, false]));
        check(&["007", "008x"], Column::Text(vec!["007".to_owned(), "008x".to_owned()]));
        // Nothing of a name is lost.
        let text =
            |fields: &[&str]| check(fields, Column::Text(fields.iter().map(|f| (*f).to_owned()).collect()));
        text(&["007", "008"]);
        text(&["4295806720000000123", ""]);
        text(&["18446744073709551616", "1.5"]);
        check(&["0", "0.5", "-0.25", ""], Column::Float(vec![0.0, 0.5, -0.25, f64::NAN]));
        check(&["", ""], Column::Text(vec![String::new(); 2]));
    }

    #[test]
    fn labels_are_text_or_whole_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let read = |text: &str, bytes_max: u64| {
            std::fs::write(&path, text).unwrap();
            read_columns(&path, bytes_max)
        };
        let (labels, side) = read("id,ra,name\nI1, 1.5,a b\nI2,,c\n", 1 << 20).unwrap();
        assert_eq!(labels, Column::Text(vec!["I1".to_owned(), "I2".to_owned()]));
        assert_eq!(side.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["ra", "name"]);
        assert_eq!(read("id\n5\n7\n", 1 << 20).unwrap().0, Column::Integer(vec![5, 7]));
        let decimal = Column::Text(vec!["5.50".to_owned(), "7".to_owned()]);
        assert_eq!(read("id\n5.50\n7\n", 1 << 20).unwrap().0, decimal);
        let check = |text: &str, bytes_max: u64, expected: &str| {
            let error = read(text, bytes_max).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("t.csv"), "{error}");
        };
        check("id,ra\n", 1 << 20, "no measurements");
        check("id,ra\n1,2,3\n", 1 << 20, "line 2: 3 fields");
        check("id,ra\n1,2\n3,4\n", 300, "no room for 2 rows");
    }
}
