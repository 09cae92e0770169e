//! Columns of a binary table: what each field is, and where in a row.

use std::collections::HashSet;

use super::header::Header;
use crate::table::Field;

/// Columns of a table at most, by the standard.
const COLUMNS_MAX: u64 = 999;

/// Elements of a column at most that become a field each.
const ELEMENTS_MAX: usize = 64;

/// Bytes of a row at most.
const ROW_BYTES_MAX: u64 = 64 << 20;

/// How rows are laid out.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) fields: Vec<Field>,
    /// What each field is.
    pub(super) columns: Vec<Column>,
    pub(super) row_bytes: usize,
    pub(super) rows: u64,
}

/// What a field is.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Where in a row it begins; `None` for a column without elements.
    pub(super) offset: Option<usize>,
    pub(super) kind: Kind,
}

/// What an element is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text in so many bytes.
    Text(usize),
    /// `T` or `F`.
    Bool,
    /// A whole number, to which `zero` is added.
    Whole { stored: Whole, null: Option<i64>, zero: i64 },
    /// A whole number of 64 bits without a sign, as text: no whole number of ours holds it.
    Unsigned { null: Option<i64> },
    /// A whole number that stands for a number.
    Scaled { stored: Whole, null: Option<i64>, scale: f64, zero: f64 },
    /// A number of 32 bits, or of 64.
    Real { double: bool, scaling: Option<(f64, f64)> },
    /// Something that is not understood.
    Odd(String),
}

/// How a whole number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Byte,
    Short,
    Int,
    Long,
}

/// A column as TFORM says.
#[derive(Debug, PartialEq, Eq)]
struct Form {
    repeat: u64,
    letter: char,
    /// Bytes of each of several texts.
    each: Option<u64>,
}

impl Layout {
    /// That of the table with this header.
    pub(super) fn of(header: &Header) -> Result<Self, String> {
        for (key, expected) in [("BITPIX", 8), ("NAXIS", 2)] {
            let found = header.whole(key)?;
            if found != Some(expected) {
                let found = found.map_or("nothing".to_owned(), |found| found.to_string());
                return Err(format!("{key} is {found}, where a table has {expected}"));
            }
        }
        let (row_bytes, rows) = (header.count("NAXIS1")?, header.count("NAXIS2")?);
        let columns = header.count("TFIELDS")?;
        if row_bytes > ROW_BYTES_MAX {
            return Err(format!("NAXIS1 = {row_bytes}: rows are understood up to {ROW_BYTES_MAX} bytes"));
        }
        // Rows of nothing would never end.
        if row_bytes == 0 && rows > 0 {
            return Err(format!("NAXIS1 = 0: its {rows} rows have no bytes"));
        }
        if columns > COLUMNS_MAX {
            return Err(format!("TFIELDS = {columns}, which is more than {COLUMNS_MAX}"));
        }
        let names: Vec<String> = (1..=columns).map(|n| name(header, n)).collect();
        let taken: HashSet<&str> = names.iter().map(String::as_str).collect();
        let mut layout = Self { fields: Vec::new(), columns: Vec::new(), row_bytes: 0, rows };
        let mut bytes = 0_u64;
        for (n, name) in (1..=columns).zip(&names) {
            let form = form(header, n)?;
            let width = form.bytes().and_then(|width| bytes.checked_add(width));
            // Beyond that no offset is needed.
            let end = width.filter(|end| *end <= row_bytes).ok_or_else(|| too_few(n, row_bytes))?;
            let offset = usize::try_from(bytes).map_err(|_| too_few(n, row_bytes))?;
            layout.add(header, n, name, &taken, &form, offset);
            bytes = end;
        }
        if bytes != row_bytes {
            return Err(format!("NAXIS1 = {row_bytes}, and its columns have {bytes} bytes"));
        }
        layout.row_bytes = usize::try_from(bytes).map_err(|_| too_few(columns, row_bytes))?;
        Ok(layout)
    }

    /// Adds the fields of column `n`.
    fn add(
        &mut self,
        header: &Header,
        n: u64,
        name: &str,
        taken: &HashSet<&str>,
        form: &Form,
        offset: usize,
    ) {
        let unit = header.text(&format!("TUNIT{n}")).filter(|unit| !unit.is_empty());
        let (kind, count) = kind(header, n, form);
        // What is not understood is one field, and so is what has no elements.
        let count = if matches!(kind, Kind::Odd(_)) { 1 } else { count };
        for element in 0..count.max(1) {
            let name = if element == 0 { name.to_owned() } else { element_name(name, element, taken) };
            let offset = (count > 0).then(|| offset + element * kind.bytes());
            self.fields.push(Field { name: name.clone(), unit: unit.clone() });
            self.columns.push(Column { name, offset, kind: kind.clone() });
        }
    }
}

/// The columns end after the row.
fn too_few(n: u64, row_bytes: u64) -> String {
    format!("NAXIS1 = {row_bytes}, and its columns have more bytes, from TFORM{n} on")
}

/// The name of column `n`.
fn name(header: &Header, n: u64) -> String {
    header.text(&format!("TTYPE{n}")).filter(|name| !name.is_empty()).unwrap_or_else(|| format!("col{n}"))
}

/// The name of an element but the first. A column that is called so keeps its name.
fn element_name(name: &str, element: usize, taken: &HashSet<&str>) -> String {
    let plain = format!("{name}_{element}");
    if taken.contains(plain.as_str()) { format!("{name}[{element}]") } else { plain }
}

/// What TFORM says of column `n`.
fn form(header: &Header, n: u64) -> Result<Form, String> {
    let key = format!("TFORM{n}");
    let text = header.text(&key).ok_or_else(|| format!("{key} is missing"))?;
    Form::parse(&text).ok_or_else(|| {
        format!("{key} = '{text}', where a count and one of L, X, B, I, J, K, A, E, D, C, M, P, Q belong")
    })
}

impl Form {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|character: char| !character.is_ascii_digit())?;
        let repeat = if digits == 0 { 1 } else { text[..digits].parse().ok()? };
        let mut rest = text[digits..].chars();
        let letter = rest.next()?.to_ascii_uppercase();
        let each = rest.as_str().trim().parse().ok();
        "LXBIJKAEDCMPQ".contains(letter).then_some(Self { repeat, letter, each })
    }

    /// Bytes in a row.
    fn bytes(&self) -> Option<u64> {
        let each = match self.letter {
            'X' => return Some(self.repeat.div_ceil(8)),
            'I' => 2,
            'J' | 'E' => 4,
            'K' | 'D' | 'C' | 'P' => 8,
            'M' | 'Q' => 16,
            _ => 1,
        };
        self.repeat.checked_mul(each)
    }
}

/// What the elements of column `n` are, and how many a row has.
fn kind(header: &Header, n: u64, form: &Form) -> (Kind, usize) {
    // It is within a row.
    let repeat = usize::try_from(form.repeat).unwrap_or(usize::MAX);
    let (kind, count) = match form.letter {
        'A' => {
            let (bytes, count) = texts(header, n, form, repeat);
            (Kind::Text(bytes), count)
        }
        'L' => (Kind::Bool, repeat),
        'B' => (whole(header, n, Whole::Byte), repeat),
        'I' => (whole(header, n, Whole::Short), repeat),
        'J' => (whole(header, n, Whole::Int), repeat),
        'K' => (whole(header, n, Whole::Long), repeat),
        'E' | 'D' => (real(header, n, form.letter == 'D'), repeat),
        'X' => (Kind::Odd("bits".to_owned()), repeat),
        'C' | 'M' => (Kind::Odd("complex numbers".to_owned()), repeat),
        _ => (Kind::Odd("arrays of differing lengths".to_owned()), repeat),
    };
    if count > ELEMENTS_MAX && !matches!(kind, Kind::Odd(_)) {
        return (Kind::Odd(format!("arrays of {count} elements, more than {ELEMENTS_MAX}")), count);
    }
    (kind, count)
}

/// Bytes of a text, and how many there are: one, unless TDIM or TFORM part it.
fn texts(header: &Header, n: u64, form: &Form, repeat: usize) -> (usize, usize) {
    let by_dims = header.text(&format!("TDIM{n}")).and_then(|dims| {
        let mut lengths =
            dims.strip_prefix('(')?.strip_suffix(')')?.split(',').map(|length| length.trim().parse().ok());
        let bytes: usize = lengths.next()??;
        let count = lengths.try_fold(1_usize, |count, length| count.checked_mul(length?))?;
        Some((bytes, count))
    });
    let by_form = || {
        let bytes = usize::try_from(form.each?).ok()?;
        Some((bytes, repeat.checked_div(bytes)?))
    };
    let within = |(bytes, count): &(usize, usize)| {
        *bytes > 0 && *count > 0 && bytes.checked_mul(*count).is_some_and(|all| all <= repeat)
    };
    let parts = by_dims.filter(within).or_else(|| by_form().filter(within));
    parts.unwrap_or((repeat, usize::from(repeat > 0)))
}

/// TSCAL and TZERO of column `n`.
fn scaling(header: &Header, n: u64) -> Result<(f64, f64), String> {
    let scale = header.real(&format!("TSCAL{n}"))?.unwrap_or(1.0);
    if scale == 0.0 {
        return Err(format!("TSCAL{n} = 0, where another number belongs"));
    }
    Ok((scale, header.real(&format!("TZERO{n}"))?.unwrap_or(0.0)))
}

/// What whole numbers of column `n` stand for.
fn whole(header: &Header, n: u64, stored: Whole) -> Kind {
    let said = scaling(header, n).and_then(|scaling| Ok((scaling, header.whole(&format!("TNULL{n}"))?)));
    let ((scale, zero), null) = match said {
        Ok(said) => said,
        Err(reason) => return Kind::Odd(format!("numbers with {reason}")),
    };
    // Numbers without a sign, and bytes with one, are stored with these under TZERO.
    let zero = match (stored, scale, zero) {
        (Whole::Byte | Whole::Short | Whole::Int | Whole::Long, 1.0, 0.0) => 0,
        (Whole::Byte, 1.0, -128.0) => -128,
        (Whole::Short, 1.0, 32_768.0) => 32_768,
        (Whole::Int, 1.0, 2_147_483_648.0) => 2_147_483_648,
        (Whole::Long, 1.0, 9_223_372_036_854_775_808.0) => return Kind::Unsigned { null },
        (Whole::Byte | Whole::Short | Whole::Int | Whole::Long, _, _) => {
            return Kind::Scaled { stored, null, scale, zero };
        }
    };
    Kind::Whole { stored, null, zero }
}

/// What numbers of column `n` stand for.
fn real(header: &Header, n: u64, double: bool) -> Kind {
    match scaling(header, n) {
        Ok(scaling) => Kind::Real { double, scaling: Some(scaling).filter(|said| *said != (1.0, 0.0)) },
        Err(reason) => Kind::Odd(format!("numbers with {reason}")),
    }
}

impl Kind {
    /// Bytes of an element.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(bytes) => *bytes,
            Self::Bool => 1,
            Self::Whole { stored, .. } | Self::Scaled { stored, .. } => match stored {
                Whole::Byte => 1,
                Whole::Short => 2,
                Whole::Int => 4,
                Whole::Long => 8,
            },
            Self::Unsigned { .. } => 8,
            Self::Real { double, .. } => {
                if *double {
                    8
                } else {
                    4
                }
            }
            Self::Odd(_) => 0,
        }
    }
}
