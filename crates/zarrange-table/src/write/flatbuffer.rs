//! Flatbuffers, as far as the metadata of Arrow needs them, see <https://flatbuffers.dev/internals/>.
//!
//! A table is given as a tree of values, and is written with each parent before its children: references point forward.

/// A value in a table.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Byte(u8),
    Short(i16),
    Int(i32),
    Long(i64),
    Text(String),
    /// Its fields in their order; those that are left out have their default.
    Table(Vec<Option<Value>>),
    /// A vector of tables.
    Tables(Vec<Value>),
    /// A vector of so many structs of eight-byte alignment.
    Structs(usize, Vec<u8>),
}

/// Writes a table as a whole buffer.
pub(super) fn write(root: &[Option<Value>]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let at = write_table(&mut bytes, root);
    refer(&mut bytes, 0, at);
    bytes
}

impl Value {
    /// Bytes that it takes in a table: what is not a number is referred to.
    const fn size(&self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::Short(_) => 2,
            Self::Long(_) => 8,
            Self::Int(_) | Self::Text(_) | Self::Table(_) | Self::Tables(_) | Self::Structs(_, _) => 4,
        }
    }
}

/// Appends a table: where it begins.
fn write_table(bytes: &mut Vec<u8>, fields: &[Option<Value>]) -> usize {
    // The largest first: the first is four bytes into the table, and there are no gaps then.
    let mut order: Vec<(usize, &Value)> =
        fields.iter().enumerate().filter_map(|(slot, value)| Some((slot, value.as_ref()?))).collect();
    order.sort_by_key(|(_, value)| std::cmp::Reverse(value.size()));
    let (mut offsets, mut size) = (vec![0; fields.len()], 4);
    for (slot, value) in &order {
        offsets[*slot] = size;
        size += value.size();
    }
    align(bytes, 2, 0);
    let lengths = bytes.len();
    for number in [4 + 2 * fields.len(), size].iter().chain(&offsets) {
        bytes.extend(small(*number).to_le_bytes());
    }
    align(bytes, 8, 4);
    let begin = bytes.len();
    bytes.extend(wide(begin - lengths).to_le_bytes());
    bytes.resize(begin + size, 0);
    for (slot, value) in order {
        let at = begin + offsets[slot];
        match value {
            Value::Byte(number) => bytes[at] = *number,
            Value::Short(number) => bytes[at..at + 2].copy_from_slice(&number.to_le_bytes()),
            Value::Int(number) => bytes[at..at + 4].copy_from_slice(&number.to_le_bytes()),
            Value::Long(number) => bytes[at..at + 8].copy_from_slice(&number.to_le_bytes()),
            Value::Text(_) | Value::Table(_) | Value::Tables(_) | Value::Structs(_, _) => {
                let target = write_referred(bytes, value);
                refer(bytes, at, target);
            }
        }
    }
    begin
}

/// Appends what a table refers to: where it begins.
fn write_referred(bytes: &mut Vec<u8>, value: &Value) -> usize {
    match value {
        Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Long(_) => bytes.len(),
        Value::Text(text) => {
            let begin = write_length(bytes, text.len(), 4, 0);
            bytes.extend(text.as_bytes());
            bytes.push(0);
            begin
        }
        Value::Table(fields) => write_table(bytes, fields),
        Value::Tables(tables) => {
            let begin = write_length(bytes, tables.len(), 4, 0);
            let mut at = bytes.len();
            bytes.resize(at + 4 * tables.len(), 0);
            for table in tables {
                let target = write_referred(bytes, table);
                refer(bytes, at, target);
                at += 4;
            }
            begin
        }
        Value::Structs(count, structs) => {
            let begin = write_length(bytes, *count, 8, 4);
            bytes.extend(structs);
            begin
        }
    }
}

/// Appends how long a vector is, where it may begin: where it does.
fn write_length(bytes: &mut Vec<u8>, length: usize, alignment: usize, rest: usize) -> usize {
    align(bytes, alignment, rest);
    let begin = bytes.len();
    bytes.extend(wide(length).to_le_bytes());
    begin
}

/// Notes at `at` that something is at `target`, which is after it.
fn refer(bytes: &mut [u8], at: usize, target: usize) {
    bytes[at..at + 4].copy_from_slice(&wide(target - at).to_le_bytes());
}

/// Appends zeros until the length leaves this rest.
fn align(bytes: &mut Vec<u8>, alignment: usize, rest: usize) {
    while bytes.len() % alignment != rest {
        bytes.push(0);
    }
}

/// A number of a table's own description; there are a few dozen bytes in each.
fn small(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A length or distance. Buffers of more than 4 GiB are refused by whoever has them written.
fn wide(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
