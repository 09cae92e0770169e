//! Tables as columns: labels and side variables of a dimension, one row for each index.

use std::path::Path;

use serde_json::Map;

use crate::LightCurveError;
use crate::store::columns::{Column, Named};
use crate::table::open_csv;

/// What a field takes beside its bytes: a string, its allocation, and the same again while the columns are told apart.
const FIELD_BYTES: u64 = 96;

/// Reads a CSV table with a header, gzipped or not: the first column are labels, the others side variables. A column is of whole numbers, of
/// numbers (an empty field is NaN), of true and false, or else of text. `bytes_max` bounds what is held.
///
/// # Errors
/// [`LightCurveError`], naming the line where one is wrong.
pub fn read_columns(path: &Path, bytes_max: u64) -> Result<(Column, Vec<Named>), LightCurveError> {
    let name = path.display().to_string();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(open_csv(path)?);
    let failed = |source| LightCurveError::Csv { path: name.clone(), source };
    let header: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let mut fields: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    let (mut record, mut bytes) = (csv::StringRecord::new(), 0_u64);
    while reader.read_record(&mut record).map_err(failed)? {
        let row = record.as_slice().len() as u64 + FIELD_BYTES * record.len() as u64;
        bytes = bytes.saturating_add(row);
        if bytes > bytes_max {
            let rows = fields.first().map_or(0, Vec::len) as u64;
            return Err(LightCurveError::TableMemory { path: name, rows, bytes_max });
        }
        for (column, field) in fields.iter_mut().zip(&record) {
            column.push(field.to_owned());
        }
    }
    let mut columns = header.into_iter().zip(fields);
    let Some((_, labels)) = columns.next().filter(|(_, labels)| !labels.is_empty()) else {
        return Err(LightCurveError::Empty { path: name });
    };
    let labels = match Column::of(labels) {
        Column::Integer(numbers) => Column::Integer(numbers),
        other => Column::Text(other.into_text()),
    };
    let side =
        columns.map(|(name, fields)| Named { name, column: Column::of(fields), attributes: Map::new() });
    Ok((labels, side.collect()))
}

impl Column {
    /// The column of these fields, of the first type that all of them have.
    fn of(fields: Vec<String>) -> Self {
        let all = |fits: &dyn Fn(&str) -> bool| fields.iter().all(|field| fits(field));
        // What begins with a zero is a name.
        let whole = |f: &str| f.parse::<i64>().is_ok_and(|n| n.to_string() == f);
        let number = |f: &str| f.is_empty() || f.parse::<f64>().is_ok();
        if all(&whole) {
            return Self::Integer(fields.iter().map(|f| f.parse().unwrap_or_default()).collect());
        }
        if all(&|f| f == "true" || f == "false") {
            return Self::Bool(fields.iter().map(|f| f == "true").collect());
        }
        if all(&number) && !all(&str::is_empty) {
            return Self::Float(fields.iter().map(|f| f.parse().unwrap_or(f64::NAN)).collect());
        }
        Self::Text(fields)
    }

    /// As text.
    fn into_text(self) -> Vec<String> {
        match self {
            Self::Text(values) => values,
            Self::Float(values) => values.iter().map(f64::to_string).collect(),
            Self::Integer(values) => values.iter().map(i64::to_string).collect(),
            Self::Bool(values) => values.iter().map(bool::to_string).collect(),
        }
    }
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
        assert_eq!(
            read("id\n5.5\n7\n", 1 << 20).unwrap().0,
            Column::Text(vec!["5.5".to_owned(), "7".to_owned()])
        );
        let check = |text: &str, bytes_max: u64, expected: &str| {
            let error = read(text, bytes_max).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("t.csv"), "{error}");
        };
        check("id,ra\n", 1 << 20, "no measurements");
        check("id,ra\n1,2,3\n", 1 << 20, "record 1");
        check("id,ra\n1,2\n3,4\n", 300, "no room for more than 1 rows");
    }
}
