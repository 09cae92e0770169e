//! Tables of catalogues and measurements, read batch by batch in the formats that astronomers have.
//!
//! **It owns** the formats: what a file is follows from its first bytes, never from its name. Whatever the format, a table is fields with
//! names and units, and batches of rows of bounded size. A row that cannot be read is named with its place, and does not end the others.
//!
//! [`TableWriter`] writes tables, as they come too.
//!
//! **It never knows** what the columns mean, and Zarr.
//!
//! **Call [`Table::open`] first.**
//!
//! ```
//! use zarrange_table::{Batch, Table};
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("night.csv");
//! std::fs::write(&path, "object,flux\nI1,1.5\nI2,\nI3,7,8\n")?;
//! let mut table = Table::open(&path)?;
//! assert_eq!(table.fields()[1].name, "flux");
//! // Both columns.
//! let mut batch = Batch::default();
//! assert!(table.read(&[0, 1], &mut batch)?);
//! assert_eq!((batch.rows(), batch.cells(0).text(1).as_ref(), batch.cells(1).number(0)), (2, "I2", Ok(1.5)));
//! assert_eq!((batch.bad()[0].place, &batch.bad()[0].reason[..]), (4, "3 fields, where there are 2 columns"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod ecsv;
mod error;
mod fits;
mod input;
mod memory;
mod open;
mod parquet;
mod sextractor;
mod table;
#[cfg(test)]
mod testing;
mod text;
mod votable;
mod write;

pub use batch::{BadRow, Batch, Cells, Kind, NotANumber, Texts};
pub use error::TableError;
pub use table::{Field, Places, Table};
pub use write::{Column, OutputFormat, Shape, TableWriter, UnknownOutputFormat};
