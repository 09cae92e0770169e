//! Which columns are wanted, and what became of a row of them.

use super::field::VoField;
use crate::batch::Kind;
use crate::error::TableError;

/// What became of a row.
pub(super) enum Row {
    /// Read, or not and why.
    Read(Option<String>),
    /// There are no more.
    End,
}

/// The columns wanted, in the order of the table.
pub(super) struct Wanted {
    /// Column of the table, element of its field, and column of the batch.
    columns: Vec<WantedColumn>,
    /// Where those of each field begin.
    starts: Vec<usize>,
}

/// A column wanted.
#[derive(Clone, Copy)]
pub(super) struct WantedColumn {
    /// Which element of its field.
    pub(super) element: usize,
    /// Which column of the batch.
    pub(super) k: usize,
    /// As it is in BINARY.
    pub(super) kind: Kind,
}

impl Wanted {
    pub(super) fn new(
        fields: &[VoField],
        wanted: &[usize],
        failed: impl Fn(String, String) -> TableError,
    ) -> Result<Self, TableError> {
        let mut sorted: Vec<(usize, usize)> =
            wanted.iter().copied().enumerate().map(|(k, at)| (at, k)).collect();
        sorted.sort_unstable();
        let mut sorted = sorted.into_iter().peekable();
        let (mut columns, mut starts, mut first) = (Vec::with_capacity(wanted.len()), vec![0], 0);
        for field in fields {
            let end = first + field.width();
            while let Some((at, k)) = sorted.next_if(|(at, _)| *at < end) {
                let kind = field.kind().map_err(|what| failed(field.name.clone(), what))?;
                columns.push(WantedColumn { element: at - first, k, kind });
            }
            starts.push(columns.len());
            first = end;
        }
        Ok(Self { columns, starts })
    }

    /// What columns of the batch hold, in their order.
    pub(super) fn kinds(&self, binary: bool) -> Vec<Kind> {
        let mut kinds = vec![Kind::Text; self.columns.len()];
        for column in &self.columns {
            // Numbers that are written out stay as they are.
            kinds[column.k] = if binary || column.kind == Kind::Bool { column.kind } else { Kind::Text };
        }
        kinds
    }

    /// Those of a field.
    pub(super) fn of(&self, field: usize) -> &[WantedColumn] {
        &self.columns[self.starts[field]..self.starts[field + 1]]
    }
}
