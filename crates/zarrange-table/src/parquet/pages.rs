//! The pages of a column, read and looked over before they are decoded.
//!
//! The crate allocates what pages say to have, and panics where they contradict themselves. So no page goes there whose sizes and counts
//! have not been compared with the bytes that it has.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::Page;
use parquet::file::metadata::ColumnChunkMetaData;

use super::codec::Codec;
use super::label::Label;
use super::leaf::Leaf;
use super::packed::{defined, delta, lengths, longest_record, texts};
use super::thrift::{Numbers, STRUCT, Thrift};
use crate::error::TableError;

/// Bytes of a page at most, as it is and decompressed. Writers make them of a megabyte, some of a hundred.
const PAGE_BYTES_MAX: u64 = 256 << 20;

/// Bytes of a dictionary at most: each of its values takes several times as much.
const DICTIONARY_BYTES_MAX: u64 = 32 << 20;

/// Bytes of the head of a page that are read at first, and at most: the smallest and largest text may be in it.
const HEAD_BYTES: u64 = 512;
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// The pages of a column in a group of rows.
pub(super) struct Pages {
    file: Arc<File>,
    label: Label,
    column: String,
    codec: Codec,
    leaf: Shape,
    /// Where the next page begins, and where the last one ends.
    at: u64,
    end: u64,
    /// Values that are left in them, nulls among them.
    left: u64,
    dictionary: bool,
}

/// What of a column tells how pages must be.
struct Shape {
    physical: Physical,
    /// Bytes of a value of fixed size.
    width: usize,
    repeats: bool,
    /// The definition level of what is not null.
    definition_max: i16,
}

/// A page of data, after a dictionary if there is a new one.
pub(super) struct Data {
    pub(super) pages: Vec<Page>,
    /// Its values, nulls and empty lists among them.
    pub(super) values: usize,
    /// Values of its longest record at most, as far as it is in this page.
    pub(super) longest: usize,
    /// The longest text that its values can make although it is not in the page as such.
    pub(super) text_max: usize,
}

/// What was seen of a page of data.
struct Seen {
    longest: usize,
    text_max: usize,
    /// Whether all of it is null.
    null: bool,
}

/// The head of a page.
#[derive(Default)]
struct Head {
    bytes: u64,
    kind: Option<i64>,
    size: i64,
    stored: i64,
    checksum: Option<i64>,
    /// That of one of the kinds.
    data: Numbers,
}

/// Kinds of pages.
const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

impl Pages {
    /// Those of `column`, called so, of a file of so many bytes.
    pub(super) fn new(
        file: &Arc<File>,
        bytes: u64,
        label: &Label,
        column: &ColumnChunkMetaData,
        (leaf, name): (&Leaf, &str),
    ) -> Result<Self, TableError> {
        let codec = Codec::of(column.compression()).map_err(|what| label.column(name, what))?;
        let wrong = |reason: &str| label.format(format!("column {name:?}: {reason}"));
        if column.file_path().is_some_and(|path| !path.is_empty()) {
            return Err(wrong("it is in another file"));
        }
        let first = column.data_page_offset();
        let first = column.dictionary_page_offset().filter(|at| (1..first).contains(at)).unwrap_or(first);
        let range = u64::try_from(first).ok().zip(u64::try_from(column.compressed_size()).ok());
        let end = range.and_then(|(at, stored)| at.checked_add(stored)).filter(|end| *end <= bytes);
        let ((at, _), end) = range.zip(end).ok_or_else(|| wrong("it would be beyond the end of the file"))?;
        let left =
            u64::try_from(column.num_values()).map_err(|_| wrong("it would have fewer than no values"))?;
        let descriptor = &leaf.descriptor;
        let physical = descriptor.physical_type();
        let width = match physical {
            Physical::BOOLEAN => 1,
            // Before each text is how long it is.
            Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
            Physical::INT64 | Physical::DOUBLE => 8,
            Physical::INT96 => 12,
            Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(descriptor.type_length()).unwrap_or(0).max(1),
        };
        let leaf =
            Shape { physical, width, repeats: leaf.nested, definition_max: descriptor.max_def_level() };
        let (file, label, column) = (file.clone(), label.clone(), name.to_owned());
        Ok(Self { file, label, column, codec, leaf, at, end, left, dictionary: false })
    }

    /// The next page of data; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Data>, TableError> {
        let mut pages = Vec::new();
        while self.left > 0 {
            if self.at == self.end {
                return Err(self.wrong(&format!("{} values are missing", self.left)));
            }
            let head = self.head()?;
            let stored = self.body(&head)?;
            let page = match head.kind {
                Some(INDEX) => Ok(None),
                Some(DICTIONARY) => self.dictionary(&head, &stored).map(|page| {
                    pages.push(page);
                    None
                }),
                Some(DATA) => self.data(&head, &stored).map(Some),
                Some(DATA_V2) => self.data_v2(&head, &stored).map(Some),
                other => Err(format!("it is of the unknown kind {other:?}")),
            };
            let data = page.map_err(|reason| self.wrong(&reason))?;
            self.at += head.bytes + stored.len() as u64;
            match data {
                Some(mut data) if data.values > 0 => {
                    self.left -= data.values as u64;
                    data.pages.splice(0..0, pages);
                    return Ok(Some(data));
                }
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// Reads the head of the page, which is as long as it is.
    fn head(&self) -> Result<Head, TableError> {
        let mut bytes = HEAD_BYTES;
        loop {
            let room = bytes.min(self.end - self.at);
            let begin = self.bytes(self.at, room)?;
            match Head::of(&begin) {
                Some(head) => return Ok(head),
                None if room < bytes || bytes >= HEAD_BYTES_MAX => {
                    return Err(self.wrong("it has a broken head"));
                }
                None => bytes *= 16,
            }
        }
    }

    /// Reads the page itself, once its sizes are known to be possible.
    fn body(&self, head: &Head) -> Result<Vec<u8>, TableError> {
        let max = if head.kind == Some(DICTIONARY) { DICTIONARY_BYTES_MAX } else { PAGE_BYTES_MAX };
        let sizes = u64::try_from(head.stored).ok().zip(u64::try_from(head.size).ok());
        let (stored, size) = sizes.ok_or_else(|| self.wrong("it has a size below nothing"))?;
        if stored > self.end - self.at - head.bytes {
            return Err(self.wrong(&format!("it would be of {stored} bytes, more than the column has")));
        }
        if stored > max || size > max {
            let reason = format!("it is of {size} bytes; the largest that is read is of {max}");
            return Err(self.wrong(&reason));
        }
        let body = self.bytes(self.at + head.bytes, stored)?;
        // The sum is of 32 bits, written with a sign.
        if head.checksum.is_some_and(|sum| sum & 0xffff_ffff != i64::from(crc32fast::hash(&body))) {
            return Err(self.wrong("its checksum is not that of its bytes"));
        }
        Ok(body)
    }

    fn bytes(&self, at: u64, bytes: u64) -> Result<Vec<u8>, TableError> {
        let bytes = usize::try_from(bytes).map_err(|_| self.wrong("it is larger than the memory can be"))?;
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, at).map_err(|source| self.label.read(source))?;
        Ok(read)
    }

    fn wrong(&self, reason: &str) -> TableError {
        self.label.format(format!("column {:?}, page at byte {}: {reason}", self.column, self.at))
    }

    fn dictionary(&mut self, head: &Head, stored: &[u8]) -> Result<Page, String> {
        let values = head.count(1)?;
        let encoding = head.encoding(2)?;
        let buf = self.decoded(head, stored, 0)?;
        if std::mem::replace(&mut self.dictionary, true) {
            return Err("it is a second dictionary".to_owned());
        }
        if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY)
            || self.leaf.physical == Physical::BOOLEAN
        {
            return Err(format!("it is a dictionary of {encoding} {}", self.leaf.physical));
        }
        let there = match self.leaf.physical {
            Physical::BYTE_ARRAY => texts(&buf).ok_or(BROKEN_TEXTS)?,
            _ => buf.len() / self.leaf.width,
        };
        if values as usize > there {
            return Err(format!("it is a dictionary of {values} values in {} bytes", buf.len()));
        }
        Ok(Page::DictionaryPage { buf: buf.into(), num_values: values, encoding, is_sorted: false })
    }

    fn data(&self, head: &Head, stored: &[u8]) -> Result<Data, String> {
        let values = self.values(head)?;
        let encoding = head.encoding(2)?;
        let mut buf = self.decoded(head, stored, 0)?;
        let mut rest = &buf[..];
        let repeats = if self.leaf.repeats { levels(&mut rest, head.encoding(4)?)? } else { &[] };
        let defines = if self.leaf.definition_max > 0 { levels(&mut rest, head.encoding(3)?)? } else { &[] };
        let seen = self.checked(values, encoding, (repeats, defines), rest)?;
        let bytes = rest.len();
        let encoding = seen.without_values(encoding, &mut buf, bytes);
        let page = Page::DataPage {
            buf: buf.into(),
            num_values: values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        Ok(Data {
            pages: vec![page],
            values: values as usize,
            longest: seen.longest,
            text_max: seen.text_max,
        })
    }

    fn data_v2(&self, head: &Head, stored: &[u8]) -> Result<Data, String> {
        let values = self.values(head)?;
        let (nulls, rows, encoding) = (head.count(2)?, head.count(3)?, head.encoding(4)?);
        let (definition, repetition) = (head.count(5)?, head.count(6)?);
        let compressed = head.data.get(7) != Some(0);
        let levels = definition as usize + repetition as usize;
        let mut buf = if compressed { self.decoded(head, stored, levels)? } else { stored.to_vec() };
        if levels > buf.len() {
            return Err(format!("it has {levels} bytes of levels, of {}", buf.len()));
        }
        if nulls > values {
            return Err(format!("{nulls} of its {values} values are null"));
        }
        let (packed, rest) = buf.split_at(levels);
        let seen = self.checked(values, encoding, packed.split_at(repetition as usize), rest)?;
        let bytes = rest.len();
        let encoding = seen.without_values(encoding, &mut buf, bytes);
        let page = Page::DataPageV2 {
            buf: buf.into(),
            num_values: values,
            encoding,
            num_nulls: nulls,
            num_rows: rows,
            def_levels_byte_len: definition,
            rep_levels_byte_len: repetition,
            is_compressed: false,
            statistics: None,
        };
        Ok(Data {
            pages: vec![page],
            values: values as usize,
            longest: seen.longest,
            text_max: seen.text_max,
        })
    }

    /// How many values there are.
    fn values(&self, head: &Head) -> Result<u32, String> {
        let values = head.count(1)?;
        if u64::from(values) > self.left {
            return Err(format!("it has {values} values, of {} that are left", self.left));
        }
        Ok(values)
    }

    /// The page decompressed; its first bytes never are.
    fn decoded(&self, head: &Head, stored: &[u8], plain: usize) -> Result<Vec<u8>, String> {
        let size = usize::try_from(head.size).unwrap_or(0);
        let (plain, packed) = stored.split_at_checked(plain).ok_or("its levels are longer than it is")?;
        let rest = size.checked_sub(plain.len()).ok_or("its levels are longer than it is")?;
        let mut buf = Vec::with_capacity(size);
        buf.extend_from_slice(plain);
        self.codec.decode(packed, rest, &mut buf)?;
        Ok(buf)
    }

    /// Looks over so many values encoded so, with their levels.
    fn checked(
        &self,
        values: u32,
        encoding: Encoding,
        (repeats, defines): (&[u8], &[u8]),
        bytes: &[u8],
    ) -> Result<Seen, String> {
        let values = values as usize;
        let Shape { physical, width, repeats: nested, definition_max } = self.leaf;
        let longest = if nested {
            longest_record(repeats, values).ok_or("it has fewer repetition levels than values")?
        } else {
            1
        };
        let count = match definition_max {
            0 => values,
            max => defined(defines, max, values).ok_or("it has fewer definition levels than values")?,
        };
        if count == 0 {
            return Ok(Seen { longest, text_max: 0, null: true });
        }
        let integers = matches!(physical, Physical::INT32 | Physical::INT64);
        let fixed = integers
            || matches!(physical, Physical::FLOAT | Physical::DOUBLE | Physical::FIXED_LEN_BYTE_ARRAY);
        let text = physical == Physical::BYTE_ARRAY;
        // How many values are in it, where that is as easily known.
        let there = match encoding {
            Encoding::PLAIN if text => texts(bytes).ok_or(BROKEN_TEXTS)?,
            Encoding::PLAIN if fixed => bytes.len() / width,
            Encoding::BYTE_STREAM_SPLIT if fixed && bytes.len() == count * width => count,
            Encoding::PLAIN | Encoding::RLE if physical == Physical::BOOLEAN => count,
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if fixed || text => {
                self.dictionary.then_some(count).ok_or("it refers to a dictionary, and there is none")?
            }
            Encoding::DELTA_BINARY_PACKED if integers => {
                delta(bytes, values).ok_or("its deltas are broken, or more than its values")?;
                count
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY if text => delta_texts(bytes, values)?,
            Encoding::DELTA_BYTE_ARRAY if text || physical == Physical::FIXED_LEN_BYTE_ARRAY => {
                let (end, _, shared) = lengths(bytes, values).ok_or(BROKEN_LENGTHS)?;
                shared.min(delta_texts(bytes.get(end..).unwrap_or_default(), values)?)
            }
            other => return Err(format!("it is encoded as {other}, which is not understood of {physical}")),
        };
        if count > there {
            return Err(format!("it has {there} of its {count} values"));
        }
        // A text repeats from the one before what it shares with it.
        let text_max = if encoding == Encoding::DELTA_BYTE_ARRAY { bytes.len() } else { 0 };
        Ok(Seen { longest, text_max, null: false })
    }
}

impl Seen {
    /// Where all is null, leaves out what comes at the end, in which writers differ: how the rest is encoded.
    fn without_values(&self, encoding: Encoding, buf: &mut Vec<u8>, bytes: usize) -> Encoding {
        if self.null {
            buf.truncate(buf.len() - bytes);
            Encoding::PLAIN
        } else {
            encoding
        }
    }
}

const BROKEN_TEXTS: &str = "its texts are broken";
const BROKEN_LENGTHS: &str = "the lengths of its texts are broken, or more than its values";

/// How many texts there are whose lengths come first.
fn delta_texts(bytes: &[u8], values: usize) -> Result<usize, String> {
    let (end, sum, texts) = lengths(bytes, values).ok_or(BROKEN_LENGTHS)?;
    if bytes.get(end..).is_none_or(|rest| sum > rest.len() as u64) {
        return Err(format!("its texts would be of {sum} bytes, more than it has"));
    }
    Ok(texts)
}

impl Head {
    /// That of which these are the first bytes; `None` if it goes on after them.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (mut thrift, mut head, mut last) = (Thrift::new(bytes), Self::default(), 0);
        loop {
            let field = thrift.head(last)?;
            match (field.id, field.of) {
                (_, 0) => break,
                (1, 4..=6) => head.kind = Some(thrift.integer()?),
                (2, 4..=6) => head.size = thrift.integer()?,
                (3, 4..=6) => head.stored = thrift.integer()?,
                (4, 4..=6) => head.checksum = Some(thrift.integer()?),
                (5 | 7 | 8, STRUCT) => head.data = thrift.numbers()?,
                (_, of) => thrift.skip(of)?,
            }
            last = field.id;
        }
        head.bytes = thrift.at() as u64;
        Some(head)
    }

    /// How many it says under this field.
    fn count(&self, id: usize) -> Result<u32, String> {
        let count = self.data.get(id).and_then(|count| i32::try_from(count).ok());
        count.and_then(|count| u32::try_from(count).ok()).ok_or_else(|| "it has a broken head".to_owned())
    }

    fn encoding(&self, id: usize) -> Result<Encoding, String> {
        let code = self.data.get(id).ok_or("it has a broken head")?;
        Ok(match code {
            0 => Encoding::PLAIN,
            2 => Encoding::PLAIN_DICTIONARY,
            3 => Encoding::RLE,
            5 => Encoding::DELTA_BINARY_PACKED,
            6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            7 => Encoding::DELTA_BYTE_ARRAY,
            8 => Encoding::RLE_DICTIONARY,
            9 => Encoding::BYTE_STREAM_SPLIT,
            other => return Err(format!("it is encoded in the way {other}, which is not understood")),
        })
    }
}

/// Takes levels off, which have their length before them.
fn levels<'a>(bytes: &mut &'a [u8], encoding: Encoding) -> Result<&'a [u8], String> {
    if encoding != Encoding::RLE {
        return Err(format!("its levels are encoded as {encoding}, which is not understood"));
    }
    let taken = bytes
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?));
    let (levels, rest) = taken.ok_or("its levels are longer than it is")?;
    *bytes = rest;
    Ok(levels)
}
