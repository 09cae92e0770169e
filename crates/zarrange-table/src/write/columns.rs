//! What formats of columns share: rows are gathered until there are enough of them for a group.

use std::io;

use crate::batch::{Cells, Kind};

/// Rows that are added at once before the size of the group is looked at, and elements of their lists where a row has not more.
const STEP_ROWS: usize = 1024;
const STEP_ITEMS: usize = 1 << 16;

/// A column to be written. Missing integers and truths are null; missing numbers are NaN, and missing text is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// One value a row.
    pub flat: Vec<Column>,
    /// A last column that has a list in each row, of structs of these columns.
    pub lists: Option<(String, Vec<Column>)>,
}

/// A format of columns, in which a group of rows is written at once.
pub(crate) trait Groups {
    /// What it writes to.
    type Writer;
    /// Rows of a group at most, and bytes at which it ends.
    const ROWS_MAX: usize;
    const BYTES_MAX: usize;

    /// Writes a group, which is not empty.
    fn write(&mut self, shape: &Shape, group: &Group) -> io::Result<()>;

    /// Writes what comes after the last group.
    fn finish(self, shape: &Shape) -> io::Result<Self::Writer>;
}

/// Rows that are written at once.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) flat: Vec<Cells>,
    /// The elements of all lists, and how many each row has.
    pub(crate) items: Vec<Cells>,
    pub(crate) lengths: Vec<usize>,
    pub(crate) rows: usize,
}

/// A table that is being written, whatever its format.
pub(crate) struct ColumnsWriter<G> {
    shape: Shape,
    groups: G,
    group: Group,
    /// Bytes at which a group ends.
    bytes_max: usize,
}

impl<G: Groups> ColumnsWriter<G> {
    pub(crate) fn new(shape: Shape, groups: G) -> Self {
        let group = Group::new(&shape);
        Self { shape, groups, group, bytes_max: G::BYTES_MAX }
    }

    /// With groups that end at fewer bytes.
    pub(crate) fn within(&mut self, bytes_max: usize) {
        self.bytes_max = self.bytes_max.min(bytes_max);
    }

    /// Writes rows of a table without lists, column by column.
    pub(crate) fn write(&mut self, flat: &[Cells]) -> io::Result<()> {
        let rows = flat.first().map_or(0, Cells::len);
        self.write_rows(flat, &[], None, rows)
    }

    /// Writes rows, each of which has so many of the `items`.
    pub(crate) fn write_nested(
        &mut self,
        flat: &[Cells],
        items: &[Cells],
        lengths: &[usize],
    ) -> io::Result<()> {
        self.write_rows(flat, items, Some(lengths), lengths.len())
    }

    /// Ends the table: what it was written to.
    pub(crate) fn finish(mut self) -> io::Result<G::Writer> {
        self.write_group()?;
        self.groups.finish(&self.shape)
    }

    fn write_rows(
        &mut self,
        flat: &[Cells],
        items: &[Cells],
        lengths: Option<&[usize]>,
        rows: usize,
    ) -> io::Result<()> {
        check(&self.shape.flat, flat, rows)?;
        let columns = self.shape.lists.as_ref().map(|(_, columns)| &columns[..]);
        let lengths = match (columns, lengths) {
            (None, None) => &[],
            (Some(columns), Some(lengths)) => {
                let sum = lengths.iter().try_fold(0, |sum: usize, length| sum.checked_add(*length));
                check(columns, items, sum.ok_or_else(|| wrong("its lists are too long".to_owned()))?)?;
                lengths
            }
            (None, Some(_)) => return Err(wrong("it has no lists".to_owned())),
            (Some(_), None) => return Err(wrong("its lists are missing".to_owned())),
        };
        let (mut row, mut item) = (0, 0);
        while row < rows {
            let most = STEP_ROWS.min(rows - row).min(G::ROWS_MAX - self.group.rows);
            let step = if lengths.is_empty() { most } else { fitting(&lengths[row..row + most]) };
            for (into, from) in self.group.flat.iter_mut().zip(flat) {
                into.append(from, row..row + step);
            }
            if !lengths.is_empty() {
                let lengths = &lengths[row..row + step];
                let end = item + lengths.iter().sum::<usize>();
                for (into, from) in self.group.items.iter_mut().zip(items) {
                    into.append(from, item..end);
                }
                self.group.lengths.extend_from_slice(lengths);
                item = end;
            }
            self.group.rows += step;
            row += step;
            if self.group.rows == G::ROWS_MAX || self.group.bytes() >= self.bytes_max {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        if self.group.rows > 0 {
            self.groups.write(&self.shape, &self.group)?;
            self.group = Group::new(&self.shape);
        }
        Ok(())
    }
}

impl Group {
    fn new(shape: &Shape) -> Self {
        let empty = |columns: &[Column]| columns.iter().map(|column| Cells::empty(column.kind)).collect();
        let items = shape.lists.as_ref().map_or(Vec::new(), |(_, columns)| empty(columns));
        Self { flat: empty(&shape.flat), items, lengths: Vec::new(), rows: 0 }
    }

    fn bytes(&self) -> usize {
        self.flat.iter().chain(&self.items).map(Cells::bytes).sum::<usize>() + size_of_val(&self.lengths[..])
    }
}

/// How many rows with lists that are so long are added at once, one at least.
fn fitting(lengths: &[usize]) -> usize {
    let mut items = 0_usize;
    let fit = lengths.iter().take_while(|length| {
        items = items.saturating_add(**length);
        items <= STEP_ITEMS
    });
    fit.count().max(1)
}

/// Whether cells are what the columns are, and so many.
pub(super) fn check(columns: &[Column], cells: &[Cells], rows: usize) -> io::Result<()> {
    if columns.len() != cells.len() {
        return Err(wrong(format!("it has {} columns, and {} were given", columns.len(), cells.len())));
    }
    for (column, cells) in columns.iter().zip(cells) {
        if cells.kind() != column.kind {
            let reason =
                format!("column {:?} is of {:?}, and {:?} was given", column.name, column.kind, cells.kind());
            return Err(wrong(reason));
        }
        if cells.len() != rows {
            let reason = format!("column {:?} has {} values for {rows} rows", column.name, cells.len());
            return Err(wrong(reason));
        }
    }
    Ok(())
}

/// What was given does not fit the table.
pub(super) fn wrong(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
