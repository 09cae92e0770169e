//! Headers: cards of 80 bytes, in blocks of 36.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::stream::Stream;
use crate::error::TableError;

/// What headers and data are padded to.
pub(super) const BLOCK_BYTES: usize = 2880;

const CARD_BYTES: usize = 80;

/// Cards of a header at most: a table of 999 columns has some 10,000.
const CARDS_MAX: usize = 1 << 16;

/// Axes of an image at most, by the standard.
const AXES_MAX: u64 = 999;

/// What comes next in a file.
pub(super) enum Next {
    /// The header of an HDU.
    Hdu(Header),
    /// Nothing.
    End,
    /// Something that is no HDU; the standard allows it.
    Other,
}

/// The cards of a header that have values. Of two with one keyword, the first counts.
#[derive(Debug, Default)]
pub(super) struct Header {
    values: HashMap<[u8; 8], Value>,
    /// The keyword whose text goes on if a CONTINUE comes now.
    open: Option<[u8; 8]>,
}

#[derive(Debug)]
struct Value {
    quoted: bool,
    bytes: Vec<u8>,
}

/// Reads the header of the HDU that is next, the `hdu`-th.
pub(super) fn read(stream: &mut Stream, hdu: u64) -> Result<Next, TableError> {
    let (mut header, mut block) = (Header::default(), Vec::new());
    for cards in (0..CARDS_MAX).step_by(BLOCK_BYTES / CARD_BYTES) {
        stream.fill(&mut block, BLOCK_BYTES as u64)?;
        if cards == 0 && !(block.starts_with(b"XTENSION") || hdu == 1) {
            return Ok(if block.is_empty() { Next::End } else { Next::Other });
        }
        if block.len() < BLOCK_BYTES {
            return Err(stream.broken(format!("it ends within the header of HDU {hdu}, before END")));
        }
        for card in block.chunks_exact(CARD_BYTES) {
            if card.starts_with(b"END     ") {
                return Ok(Next::Hdu(header));
            }
            header.add(card);
        }
    }
    Err(stream.broken(format!("the header of HDU {hdu} has no END within {CARDS_MAX} cards")))
}

impl Header {
    fn add(&mut self, card: &[u8]) {
        let Some((key, rest)) = card.split_first_chunk::<8>() else { return };
        let open = self.open.take();
        if key == b"CONTINUE" {
            if let Some(open) = open {
                self.go_on(open, Value::parse(rest));
            }
            return;
        }
        let Some(field) = rest.strip_prefix(b"= ") else { return };
        if let Entry::Vacant(vacant) = self.values.entry(*key) {
            let value = Value::parse(field);
            self.open = value.goes_on().then_some(*key);
            vacant.insert(value);
        }
    }

    /// Adds what a CONTINUE says.
    fn go_on(&mut self, key: [u8; 8], more: Value) {
        if let Some(value) = self.values.get_mut(&key).filter(|_| more.quoted) {
            value.bytes.pop();
            self.open = more.goes_on().then_some(key);
            value.bytes.extend(more.bytes);
        }
    }

    /// What stands under a keyword; a value that is left open is none.
    fn get(&self, key: &str) -> Option<&Value> {
        let mut padded = [b' '; 8];
        padded.get_mut(..key.len())?.copy_from_slice(key.as_bytes());
        self.values.get(&padded).filter(|value| value.quoted || !value.bytes.is_empty())
    }

    /// The text under a keyword, without blanks around it.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| value.text().trim().to_owned())
    }

    /// Whether T stands under a keyword.
    pub(super) fn truth(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !value.quoted && value.bytes == b"T")
    }

    /// The whole number under a keyword.
    pub(super) fn whole(&self, key: &str) -> Result<Option<i64>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = (!value.quoted).then(|| value.text().parse().ok()).flatten();
        number.map(Some).ok_or_else(|| format!("{key} = {}, where a whole number belongs", value.written()))
    }

    /// The number under a keyword.
    pub(super) fn real(&self, key: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        // FORTRAN writes exponents of double precision with a D.
        let text = value.text().replace(['D', 'd'], "E");
        let number = text.parse().ok().filter(|number: &f64| !value.quoted && number.is_finite());
        number.map(Some).ok_or_else(|| format!("{key} = {}, where a number belongs", value.written()))
    }

    /// The count under a keyword that must be there.
    pub(super) fn count(&self, key: &str) -> Result<u64, String> {
        let number = self.whole(key)?.ok_or_else(|| format!("{key} is missing"))?;
        u64::try_from(number).map_err(|_| format!("{key} = {number}, where a count belongs"))
    }

    /// Bytes of the data after this header, without padding.
    pub(super) fn data_bytes(&self) -> Result<u64, String> {
        let bits = self.whole("BITPIX")?.ok_or("BITPIX is missing")?;
        if !matches!(bits, 8 | 16 | 32 | 64 | -32 | -64) {
            return Err(format!("BITPIX = {bits}, where 8, 16, 32, 64, -32 or -64 belongs"));
        }
        let axes = self.count("NAXIS")?;
        if axes == 0 {
            return Ok(0);
        }
        if axes > AXES_MAX {
            return Err(format!("NAXIS = {axes}, which is more than {AXES_MAX}"));
        }
        let lengths: Vec<u64> =
            (1..=axes).map(|axis| self.count(&format!("NAXIS{axis}"))).collect::<Result<_, _>>()?;
        // In random groups the first axis says nothing.
        let groups = lengths[0] == 0 && self.truth("GROUPS");
        let optional = |key, default| if self.get(key).is_some() { self.count(key) } else { Ok(default) };
        let (before, times) = (optional("PCOUNT", 0)?, optional("GCOUNT", 1)?);
        let bytes = lengths[usize::from(groups)..]
            .iter()
            .try_fold(1_u64, |elements, length| elements.checked_mul(*length))
            .and_then(|elements| elements.checked_add(before)?.checked_mul(times))
            .and_then(|elements| elements.checked_mul(bits.unsigned_abs() / 8))
            .filter(|bytes| bytes.checked_next_multiple_of(BLOCK_BYTES as u64).is_some());
        bytes.ok_or_else(|| "NAXISn, PCOUNT and GCOUNT say that it has more than 2^64 bytes".to_owned())
    }
}

impl Value {
    /// What a card says after its keyword, without the comment.
    fn parse(field: &[u8]) -> Self {
        let field = field.trim_ascii_start();
        let Some(mut rest) = field.strip_prefix(b"'") else {
            let bare = field.split(|byte| *byte == b'/').next().unwrap_or_default();
            return Self { quoted: false, bytes: bare.trim_ascii_end().to_vec() };
        };
        let mut bytes = Vec::new();
        // Text without a second quote ends with the card. Two quotes are one of the text.
        loop {
            let end = rest.iter().position(|byte| *byte == b'\'').unwrap_or(rest.len());
            bytes.extend_from_slice(&rest[..end]);
            match rest.get(end + 1..).and_then(|after| after.strip_prefix(b"'")) {
                Some(after) => rest = after,
                None => break,
            }
            bytes.push(b'\'');
        }
        bytes.truncate(bytes.trim_ascii_end().len());
        Self { quoted: true, bytes }
    }

    /// Whether it is text that a CONTINUE may go on with.
    fn goes_on(&self) -> bool {
        self.quoted && self.bytes.ends_with(b"&")
    }

    /// Headers are ASCII. Where one is not, it is taken as what people write instead, and nothing of it is lost.
    fn text(&self) -> String {
        let latin = || self.bytes.iter().map(|byte| char::from(*byte)).collect();
        str::from_utf8(&self.bytes).map_or_else(|_| latin(), str::to_owned)
    }

    /// As the card has it.
    fn written(&self) -> String {
        if self.quoted { format!("'{}'", self.text()) } else { self.text() }
    }
}
