//! FITS: the first binary table of a file, by the standard 4.0.
//!
//! The file is read forward only, so that a gzipped one costs no more. Images are skipped, those in compressed form too, and so is the table of
//! image headers that `SExtractor` puts before its objects.

mod columns;
mod header;
mod rows;
mod stream;
#[cfg(test)]
mod tests;

use crate::error::TableError;
use crate::input::Input;
use crate::table::{Places, Table};

use columns::Layout;
use header::{BLOCK_BYTES, Header, Next};
use rows::Records;
use stream::Stream;

/// The table before the objects of a catalogue of `SExtractor`: the header of the image, in one element.
const IMAGE_HEADERS: &str = "LDAC_IMHEAD";

/// What was found before the table.
#[derive(Debug, Default)]
struct Seen {
    hdus: u64,
    /// A table of text.
    ascii: bool,
    /// A binary table without columns.
    empty: bool,
}

/// Whether a file with these first bytes is FITS.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SIMPLE  =")
}

/// Opens the first binary table with columns. A column of several numbers is as many fields; two fields may have one name.
pub(crate) fn open(input: Input) -> Result<Table, TableError> {
    let mut stream = Stream::new(input);
    let mut seen = Seen::default();
    loop {
        let header = match header::read(&mut stream, seen.hdus + 1)? {
            Next::Hdu(header) => header,
            Next::End => return Err(stream.broken(none(&seen))),
            Next::Other => {
                return Err(stream.broken(format!("{}; what comes after them is no HDU", none(&seen))));
            }
        };
        seen.hdus += 1;
        let hdu = seen.hdus;
        let odd = |stream: &Stream, reason| stream.broken(format!("HDU {hdu}: {reason}"));
        if hdu == 1 && !header.truth("SIMPLE") {
            return Err(odd(&stream, "SIMPLE is not T, so it does not follow the standard".to_owned()));
        }
        if is_table(&header, &mut seen).map_err(|reason| odd(&stream, reason))? {
            let layout = Layout::of(&header).map_err(|reason| odd(&stream, reason))?;
            return Ok(table(stream, layout));
        }
        let bytes = header.data_bytes().map_err(|reason| odd(&stream, reason))?;
        if !stream.skip(bytes)? {
            return Err(odd(&stream, format!("the file ends within its {bytes} bytes of data")));
        }
        // The last block may lack its padding: then no table follows.
        stream.skip(bytes.next_multiple_of(BLOCK_BYTES as u64) - bytes)?;
    }
}

/// The table of this layout, whose rows come next.
fn table(stream: Stream, mut layout: Layout) -> Table {
    let fields = std::mem::take(&mut layout.fields);
    Table::new(fields, Places::Rows, Box::new(Records::new(stream, layout)))
}

/// Whether the table is in this HDU.
fn is_table(header: &Header, seen: &mut Seen) -> Result<bool, String> {
    match header.text("XTENSION").as_deref() {
        Some("BINTABLE") => {}
        Some("TABLE") => {
            seen.ascii = true;
            return Ok(false);
        }
        Some(_) | None => return Ok(false),
    }
    if header.truth("ZTABLE") {
        return Err("its table is compressed (ZTABLE = T): uncompress it first, for instance with \
                    `funpack`"
            .to_owned());
    }
    if header.truth("ZIMAGE") || header.text("EXTNAME").as_deref() == Some(IMAGE_HEADERS) {
        return Ok(false);
    }
    let columns = header.count("TFIELDS")? > 0;
    seen.empty |= !columns;
    Ok(columns)
}

/// Why there is no table.
fn none(seen: &Seen) -> String {
    let hdus = seen.hdus;
    if seen.ascii {
        format!(
            "its table is one of text (XTENSION = 'TABLE'), and what is understood is a binary one \
             (XTENSION = 'BINTABLE'): write it as that, or as CSV; it has {hdus} HDUs"
        )
    } else if seen.empty {
        format!("its binary table has no columns; it has {hdus} HDUs")
    } else {
        format!("none of its {hdus} HDUs is a binary table (XTENSION = 'BINTABLE')")
    }
}
