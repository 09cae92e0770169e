//! Tables as columns: labels and side variables of a dimension, one row for each index.

use std::io::Read as _;
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
    // A record may have no end.
    let input = open_csv(path)?.take(bytes_max.saturating_add(1));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let failed = |source| LightCurveError::Csv { path: name.clone(), source };
    let header: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let mut fields: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    let (mut record, mut bytes) = (csv::StringRecord::new(), 0_u64);
    while reader.read_record(&mut record).map_err(failed)? {
        let row = record.as_slice().len() as u64 + FIELD_BYTES * record.len() as u64;
        bytes = bytes.saturating_add(row);
        if bytes > bytes_max || reader.get_ref().limit() == 0 {
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
    // As they are written: 5.50 is not 5.5.
    let labels = Column::whole(&labels).unwrap_or(Column::Text(labels));
    let side =
        columns.map(|(name, fields)| Named { name, column: Column::of(fields), attributes: Map::new() });
    Ok((labels, side.collect()))
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
        check("id,ra\n1,2,3\n", 1 << 20, "record 1");
        check(&format!("id\n\"{}", "\"\"".repeat(1000)), 300, "no room for more than 0 rows");
        check("id,ra\n1,2\n3,4\n", 300, "no room for more than 1 rows");
    }
}
