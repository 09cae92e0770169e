//! The columns of a Parquet file: leaves of a tree of groups.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor, Type};

use crate::batch::Kind;
use crate::table::Field;

/// A column.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The names of what it is in and its own, without those that only make a list of it.
    names: Vec<String>,
    pub(super) of: Of,
    /// Whether it holds lists.
    pub(super) nested: bool,
    /// The definition level from which there is an element, be it null.
    pub(super) element_level: i16,
    pub(super) descriptor: ColumnDescPtr,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Bool,
    Signed32,
    Unsigned32,
    Signed64,
    Unsigned64,
    Half,
    Float,
    Double,
    Text,
    /// Text, each of as many bytes.
    FixedText,
    /// What is not understood, in words.
    Odd(String),
}

impl Of {
    /// What is read of it.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Bool => Kind::Bool,
            Self::Signed32 | Self::Unsigned32 | Self::Signed64 | Self::Unsigned64 => Kind::Integer,
            Self::Half | Self::Float | Self::Double => Kind::Float,
            Self::Text | Self::FixedText | Self::Odd(_) => Kind::Text,
        }
    }

    fn from(column: &ColumnDescPtr) -> Self {
        if column.max_rep_level() > 1 {
            return Self::Odd("lists of lists".to_owned());
        }
        let means = Meaning::of(column.logical_type_ref(), column.converted_type());
        let means = match means {
            Ok(means) => means,
            Err(odd) => return Self::Odd(odd),
        };
        match (column.physical_type(), means) {
            (Physical::BOOLEAN, Meaning::Plain) => Self::Bool,
            (Physical::INT32, Meaning::Plain) => Self::Signed32,
            (Physical::INT32, Meaning::Unsigned) => Self::Unsigned32,
            (Physical::INT64, Meaning::Plain) => Self::Signed64,
            (Physical::INT64, Meaning::Unsigned) => Self::Unsigned64,
            (Physical::INT96, _) => Self::Odd("timestamps (INT96)".to_owned()),
            (Physical::FLOAT, Meaning::Plain) => Self::Float,
            (Physical::DOUBLE, Meaning::Plain) => Self::Double,
            (Physical::BYTE_ARRAY, Meaning::Plain | Meaning::Text) => Self::Text,
            (Physical::FIXED_LEN_BYTE_ARRAY, Meaning::Half) if column.type_length() == 2 => Self::Half,
            (Physical::FIXED_LEN_BYTE_ARRAY, Meaning::Text) if column.type_length() > 0 => Self::FixedText,
            (physical, _) => Self::Odd(format!("{physical}")),
        }
    }
}

/// What numbers or bytes stand for.
enum Meaning {
    /// Themselves.
    Plain,
    Unsigned,
    Half,
    Text,
}

impl Meaning {
    /// The newer of both says it, where there is one; an error is what is not understood.
    fn of(logical: Option<&LogicalType>, converted: ConvertedType) -> Result<Self, String> {
        let odd = |what: &str| Err(what.to_owned());
        match logical {
            Some(LogicalType::Integer(integer)) if integer.is_signed => Ok(Self::Plain),
            Some(LogicalType::Integer(_)) => Ok(Self::Unsigned),
            // Columns in which everything is null.
            Some(LogicalType::Unknown) => Ok(Self::Plain),
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => Ok(Self::Text),
            Some(LogicalType::Float16) => Ok(Self::Half),
            Some(LogicalType::Date) => odd("dates"),
            Some(LogicalType::Time(_)) => odd("times of the day"),
            Some(LogicalType::Timestamp(_)) => odd("timestamps"),
            Some(LogicalType::Decimal(_)) => odd("decimals"),
            Some(other) => Err(format!("{other:?}")),
            None => match converted {
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64 => Ok(Self::Plain),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Ok(Self::Unsigned),
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Ok(Self::Text),
                ConvertedType::DATE => odd("dates"),
                ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => odd("times of the day"),
                ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => odd("timestamps"),
                ConvertedType::DECIMAL => odd("decimals"),
                other => Err(format!("{other}")),
            },
        }
    }
}

/// The columns of a file, in its order.
pub(super) fn leaves(schema: &SchemaDescriptor) -> Vec<Leaf> {
    let mut names = Vec::with_capacity(schema.num_columns());
    for field in schema.root_schema().get_fields() {
        gather(field, &mut Vec::new(), &mut names);
    }
    let leaf = |(names, column): (Vec<String>, &ColumnDescPtr)| Leaf {
        names,
        of: Of::from(column),
        nested: column.max_rep_level() > 0,
        element_level: column.repeated_ancestor_def_level(),
        descriptor: column.clone(),
    };
    names.into_iter().zip(schema.columns()).map(leaf).collect()
}

/// What they are called: by their last name, or by all of them between dots where another ends in the same.
pub(super) fn fields(leaves: &[Leaf]) -> Vec<Field> {
    let mut last: Vec<_> = leaves.iter().map(|leaf| leaf.names.last()).collect();
    last.sort_unstable();
    let alone = |name: Option<&String>| {
        let from = last.partition_point(|other| *other < name);
        last.get(from + 1).copied() != Some(name)
    };
    let name = |leaf: &Leaf| match leaf.names.last() {
        Some(name) if alone(Some(name)) => name.clone(),
        _ => leaf.names.join("."),
    };
    leaves.iter().map(|leaf| Field { name: name(leaf), unit: None }).collect()
}

/// Gathers the names of the columns in `of`, which is in groups of the names `within`. Groups are not deep: the footer was looked over.
fn gather(of: &Type, within: &mut Vec<String>, into: &mut Vec<Vec<String>>) {
    within.push(of.name().to_owned());
    gather_in(of, within, into);
    within.pop();
}

/// The same, where `within` ends in its own name.
fn gather_in(of: &Type, within: &mut Vec<String>, into: &mut Vec<Vec<String>>) {
    if of.is_primitive() {
        return into.push(within.clone());
    }
    if is_list(of)
        && let [repeated] = of.get_fields()
    {
        // What is repeated has a name of the format, and often one more in it.
        return match repeated.is_group().then(|| repeated.get_fields()) {
            Some([element]) if has_element(of, repeated) => gather_in(element, within, into),
            Some(_) | None => gather_in(repeated, within, into),
        };
    }
    of.get_fields().iter().for_each(|field| gather(field, within, into));
}

/// Whether a group only holds what is repeated.
fn is_list(group: &Type) -> bool {
    let [repeated] = group.get_fields() else { return false };
    let info = group.get_basic_info();
    let named = matches!(info.logical_type_ref(), Some(LogicalType::List | LogicalType::Map))
        || matches!(
            info.converted_type(),
            ConvertedType::LIST | ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
        );
    let info = repeated.get_basic_info();
    named && info.has_repetition() && info.repetition() == Repetition::REPEATED
}

/// Whether a repeated group holds the element, and is none itself as old writers had it. See the rules for lists of
/// <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>.
fn has_element(list: &Type, repeated: &Type) -> bool {
    repeated.name() != "array" && repeated.name() != format!("{}_tuple", list.name())
}
