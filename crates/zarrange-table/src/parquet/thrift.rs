//! As much of the compact protocol of Thrift as headers of pages need, and to look a footer over before it is decoded.

/// Structs and lists in one another at most, where they are passed over.
const DEPTH_MAX: usize = 32;

/// Types of fields.
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// Bytes not read yet. `None` of any method is that they end too early, or are no Thrift.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The head of a field.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) id: i64,
    pub(super) of: u8,
}

/// The numbers of a struct by the ids of their fields; truth is 1.
#[derive(Default)]
pub(super) struct Numbers([Option<i64>; 9]);

impl Numbers {
    pub(super) fn get(&self, id: usize) -> Option<i64> {
        self.0.get(id).copied().flatten()
    }
}

impl<'a> Thrift<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The head of the next field after that with id `last`; its type is 0 at the end of the struct.
    pub(super) fn head(&mut self, last: i64) -> Option<Head> {
        let byte = self.byte()?;
        let (step, of) = (i64::from(byte >> 4), byte & 0xf);
        let id = match (of, step) {
            (0, _) => last,
            (_, 0) => self.integer()?,
            (_, step) => last.checked_add(step)?,
        };
        Some(Head { id, of })
    }

    /// How many elements a list has, and their type.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let elements = match byte >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        Some((elements, byte & 0xf))
    }

    /// The numbers of the next struct; whatever else is in it is passed over.
    pub(super) fn numbers(&mut self) -> Option<Numbers> {
        let (mut numbers, mut last) = (Numbers::default(), 0);
        loop {
            let head = self.head(last)?;
            let value = match head.of {
                0 => return Some(numbers),
                TRUE => 1,
                FALSE => 0,
                4..=6 => self.integer()?,
                other => {
                    self.skip(other)?;
                    last = head.id;
                    continue;
                }
            };
            let slot = usize::try_from(head.id).ok().and_then(|id| numbers.0.get_mut(id));
            if let Some(slot) = slot {
                *slot = Some(value);
            }
            last = head.id;
        }
    }

    /// Passes a field of this type over.
    pub(super) fn skip(&mut self, of: u8) -> Option<()> {
        self.skip_within(of, DEPTH_MAX)
    }

    fn skip_within(&mut self, of: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match of {
            TRUE | FALSE => Some(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let bytes = usize::try_from(self.varint()?).ok()?;
                self.pass(bytes)
            }
            LIST | 10 => {
                let (elements, of) = self.list()?;
                (0..elements).try_for_each(|_| self.skip_element(of, depth))
            }
            11 => {
                let pairs = self.varint()?;
                let of = if pairs > 0 { self.byte()? } else { 0 };
                (0..pairs).try_for_each(|_| {
                    self.skip_element(of >> 4, depth)?;
                    self.skip_element(of & 0xf, depth)
                })
            }
            STRUCT => {
                let mut last = 0;
                loop {
                    let head = self.head(last)?;
                    if head.of == 0 {
                        return Some(());
                    }
                    self.skip_within(head.of, depth)?;
                    last = head.id;
                }
            }
            _ => None,
        }
    }

    /// Truths are bytes in lists. Every element has a byte, so that there are no more of them than bytes.
    fn skip_element(&mut self, of: u8, depth: usize) -> Option<()> {
        match of {
            TRUE | FALSE => self.pass(1),
            other => self.skip_within(other, depth),
        }
    }

    /// Passes so many bytes over.
    pub(super) fn pass(&mut self, bytes: usize) -> Option<()> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.bytes.len())?;
        self.at = end;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Seven bits in a byte, the lowest first.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number with its sign in the lowest bit.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}
