//! Reading past the page cache: whole aligned blocks, and the bytes wanted taken out of them.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, StatxFlags};

/// Blocks are read through a buffer of this size where the caller's is not aligned.
const BOUNCE_BYTES: usize = 32 << 10;

/// The largest alignment that [`Bounce`] serves; block devices have 512 or 4096.
const ALIGN_MAX: usize = 4096;

/// `STATX_DIOALIGN`.
const DIOALIGN: u32 = 0x2000;

/// What `O_DIRECT` wants of a file's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// Of the address in memory.
    memory: usize,
    /// Of offset and length.
    block: usize,
}

impl Alignment {
    /// That of an open file (`STATX_DIOALIGN`); `None` if it does not support `O_DIRECT`.
    pub(super) fn of(file: &impl AsFd) -> io::Result<Option<Self>> {
        let stat = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::from_bits_retain(DIOALIGN))?;
        if stat.stx_mask & DIOALIGN == 0 {
            // An older kernel does not tell; pages suit every device.
            return Ok(Some(Self { memory: ALIGN_MAX, block: ALIGN_MAX }));
        }
        let (memory, block) = (stat.stx_dio_mem_align as usize, stat.stx_dio_offset_align as usize);
        let valid = |n: usize| n.is_power_of_two() && n <= ALIGN_MAX;
        Ok((valid(memory) && valid(block)).then_some(Self { memory, block }))
    }

    /// Whether `buffer` can be filled from `offset` as it is.
    pub(super) fn fits(self, offset: u64, buffer: &[u8]) -> bool {
        offset.is_multiple_of(self.block as u64)
            && buffer.len().is_multiple_of(self.block)
            && buffer.as_ptr().addr().is_multiple_of(self.memory)
    }

    /// The blocks that begin a range, as offset and length, at most as many as fit a [`Bounce`].
    pub(super) fn blocks(self, offset: u64, bytes: usize) -> (u64, usize) {
        let block = self.block as u64;
        let start = offset / block * block;
        // Less than a block, which is at most ALIGN_MAX.
        let skip = usize::try_from(offset - start).unwrap_or(0);
        (start, skip.saturating_add(bytes).div_ceil(self.block).saturating_mul(self.block).min(BOUNCE_BYTES))
    }
}

/// An aligned buffer for blocks; allocated when first used.
#[derive(Debug, Default)]
pub(super) struct Bounce(Vec<u8>);

impl Bounce {
    /// The first `bytes` of the buffer.
    pub(super) fn get(&mut self, bytes: usize) -> &mut [u8] {
        if self.0.is_empty() {
            self.0 = vec![0; BOUNCE_BYTES + ALIGN_MAX];
        }
        let skip = self.0.as_ptr().align_offset(ALIGN_MAX);
        &mut self.0[skip..][..bytes]
    }
}

/// Takes what is wanted out of `blocks`, which were read from `start`: from `offset` into `buffer`. The bytes taken; 0 at the
/// end of the file.
pub(super) fn take(blocks: &[u8], start: u64, offset: u64, buffer: &mut [u8]) -> usize {
    let skip = usize::try_from(offset - start).unwrap_or(usize::MAX);
    let Some(from) = blocks.get(skip..) else { return 0 };
    let bytes = from.len().min(buffer.len());
    buffer[..bytes].copy_from_slice(&from[..bytes]);
    bytes
}
