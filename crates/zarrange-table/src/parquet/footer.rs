//! The footer of a Parquet file, which says what is in it and where.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use super::label::{Label, without_panic};
use super::thrift::{LIST, STRUCT, Thrift};
use crate::error::TableError;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// What it ends with where the footer is encrypted.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// Bytes of a footer at most.
const FOOTER_BYTES_MAX: u64 = 128 << 20;

/// Groups in one another at most. The crate recurs into them: a stack that overflows cannot be caught.
const GROUPS_MAX: usize = 64;

/// Reads the footer of a file of so many bytes.
pub(super) fn read(file: &File, bytes: u64, label: &Label) -> Result<ParquetMetaData, TableError> {
    let mut tail = [0; 8];
    let rest = bytes.checked_sub(12).ok_or_else(|| truncated(label))?;
    file.read_exact_at(&mut tail, bytes - 8).map_err(|source| label.read(source))?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic == *ENCRYPTED {
        return Err(label.format("it is encrypted"));
    }
    if magic != *MAGIC {
        return Err(truncated(label));
    }
    let length = u32::from_le_bytes([a, b, c, d]);
    let begin = rest.checked_sub(u64::from(length)).ok_or_else(|| {
        label.format(format!(
            "its footer would be of {length} bytes, of {bytes} that it has: is it truncated?"
        ))
    })?;
    if u64::from(length) > FOOTER_BYTES_MAX {
        return Err(label.format(format!(
            "its footer is of {length} bytes; the largest that is read is of {FOOTER_BYTES_MAX}"
        )));
    }
    let mut footer = vec![0; length as usize];
    file.read_exact_at(&mut footer, begin + 4).map_err(|source| label.read(source))?;
    check(&footer).map_err(|reason| label.format(reason))?;
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    without_panic(|| ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options)))
        .map_err(|reason| label.format(format!("its footer cannot be read: {reason}")))
}

fn truncated(label: &Label) -> TableError {
    label.format("it does not end as Parquet does: it is truncated, or still being written")
}

/// Looks over what the crate would trust: how groups of columns are in one another, and how many they say to have.
fn check(footer: &[u8]) -> Result<(), String> {
    let broken = || "its footer is broken".to_owned();
    let (mut thrift, mut last) = (Thrift::new(footer), 0);
    loop {
        let head = thrift.head(last).ok_or_else(broken)?;
        match (head.id, head.of) {
            (_, 0) => return Ok(()),
            (2, LIST) => check_schema(&mut thrift).ok_or_else(broken)??,
            (_, of) => thrift.skip(of).ok_or_else(broken)?,
        }
        last = head.id;
    }
}

/// The same of the list of groups and columns.
fn check_schema(thrift: &mut Thrift<'_>) -> Option<Result<(), String>> {
    /// The field of how many are in a group.
    const CHILDREN: usize = 5;
    let (elements, of) = thrift.list()?;
    if of != STRUCT {
        return None;
    }
    // Those that are left of each group.
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..elements {
        let children = u64::try_from(thrift.numbers()?.get(CHILDREN).unwrap_or(0)).ok()?;
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > elements {
            return Some(Err(format!("its footer has a group of {children} columns, of {elements} in all")));
        }
        if children > 0 {
            open.push(children);
        }
        if open.len() > GROUPS_MAX {
            return Some(Err(format!("groups of columns are in one another more than {GROUPS_MAX} deep")));
        }
    }
    Some(Ok(()))
}
