//! Arrays of text and bytes: chunks whose elements have no fixed size.

use zarrange_codec::{CodecError, Scratch, ShardIndex, ShardLayout, Variable, VariableCodec, buffer, grow};
use zarrange_grid::{ChunkGrid, Dims, Region, index};
use zarrange_io::{Access, Change, IoError, Making, Object};

use crate::ArrayError;
use crate::array::Array;
use crate::chunks::inner_name;
use crate::contents::VariableElements;
use crate::read::ReadCost;

impl Array {
    /// The codecs of the object that holds `position`, where they are not those of `elements`: its shape is not that of the largest.
    /// They are compiled for each chunk, which takes less than reading its elements.
    fn codec_of(
        &self,
        elements: &VariableElements,
        position: &[u64],
    ) -> Result<Option<VariableCodec>, CodecError> {
        let objects = self.objects();
        if objects.is_regular() {
            return Ok(None);
        }
        let object = objects.cell(&self.object_of(&elements.chunks, position));
        let kind = elements.chain().kind();
        VariableCodec::new(&elements.object_codecs, kind, object.shape(), &elements.fill).map(Some)
    }
}

/// Reads chunks of text or bytes, one at a time; the shard read last stays open.
#[derive(Debug)]
pub struct VariableReader<'a> {
    array: &'a Array,
    elements: &'a VariableElements,
    scratch: Scratch,
    encoded: Vec<u8>,
    shard: Option<(Dims, Option<(Object, ShardIndex)>)>,
    cost: ReadCost,
}

impl<'a> VariableReader<'a> {
    /// A reader of `array`, whose elements are `elements`.
    pub fn new(array: &'a Array, elements: &'a VariableElements) -> Self {
        let (scratch, encoded, cost) = (Scratch::default(), Vec::new(), ReadCost::default());
        Self { array, elements, scratch, encoded, shard: None, cost }
    }

    /// What it has read so far; of `chunk_bytes`, what the elements take.
    pub const fn cost(&self) -> ReadCost {
        self.cost
    }

    /// Memory of its buffers.
    pub fn memory_bytes(&self) -> usize {
        self.scratch.memory_bytes().saturating_add(self.encoded.capacity())
    }

    /// Reads chunk `position` (an inner chunk, where there are shards) to `chunk`, within `bytes_max` of memory for it and as much again
    /// for its stored bytes; whether it is stored. The most bytes are read that can belong to a chunk of that size.
    ///
    /// # Errors
    /// [`ArrayError::Chunk`] if it is damaged or needs more memory, [`ArrayError::ChunkIo`] if it cannot be read.
    pub fn read(
        &mut self,
        position: &Dims,
        bytes_max: usize,
        chunk: &mut Variable,
    ) -> Result<bool, ArrayError> {
        let other = self.array.codec_of(self.elements, position);
        let other = other.map_err(|source| self.wrong(&self.array.key(position), source))?;
        let codec = other.as_ref().unwrap_or(&self.elements.codec);
        let chain = codec.chain();
        let room = chain.encoded_bytes_max(bytes_max);
        let key = match codec {
            VariableCodec::Chunks(_) => {
                let key = self.array.key(position);
                if !self.fetch_object(&key, room)? {
                    return Ok(false);
                }
                key
            }
            VariableCodec::Shards { layout, .. } => {
                let shard = self.array.object_of(&self.elements.chunks, position);
                let number = self.array.inner_number(&self.elements.chunks, &shard, position);
                let key = inner_name(&self.array.key(&shard), number);
                if !self.fetch_inner((&shard, number), layout, (&key, room))? {
                    return Ok(false);
                }
                key
            }
        };
        let decoded = chain.decode(&self.encoded, bytes_max, chunk, &mut self.scratch);
        decoded.map_err(|source| self.wrong(&key, source))?;
        let stored = self.encoded.len() as u64;
        self.cost.chunks += 1;
        self.cost.requests += 1;
        self.cost.bytes += stored;
        self.cost.stored_bytes += stored;
        self.cost.chunk_bytes += chunk.data_bytes() as u64;
        Ok(true)
    }

    fn fetch_object(&mut self, key: &str, room: usize) -> Result<bool, ArrayError> {
        let failed = |source| self.failed(key, source);
        let Some(object) = self.array.store().open(key, Access::Read).map_err(failed)? else {
            return Ok(false);
        };
        let bytes = size(&object).map_err(failed)?;
        self.encoded = self.room_for(bytes, (key, room))?;
        let read = self.array.store().read_at(&object, 0, &mut self.encoded);
        read.map_err(|source| self.failed(key, source)).map(|()| true)
    }

    fn fetch_inner(
        &mut self,
        (shard, number): (&Dims, u64),
        layout: &ShardLayout,
        (name, room): (&str, usize),
    ) -> Result<bool, ArrayError> {
        let key = self.array.key(shard);
        if self.shard.as_ref().is_none_or(|(open, _)| open != shard) {
            self.shard = Some((shard.clone(), self.open_shard(&key, layout)?));
        }
        let place = match &self.shard {
            Some((_, Some((_, entries)))) => entries.get(index(number)),
            _ => None,
        };
        let Some((offset, bytes)) = place else { return Ok(false) };
        let mut encoded = self.room_for(bytes, (name, room))?;
        let Some((_, Some((object, _)))) = &self.shard else { return Ok(false) };
        let read = self.array.store().read_at(object, offset, &mut encoded);
        read.map_err(|source| self.failed(name, source))?;
        self.encoded = encoded;
        Ok(true)
    }

    fn open_shard(
        &self,
        key: &str,
        layout: &ShardLayout,
    ) -> Result<Option<(Object, ShardIndex)>, ArrayError> {
        let failed = |source| self.failed(key, source);
        let store = self.array.store();
        let Some(object) = store.open(key, Access::Read).map_err(failed)? else { return Ok(None) };
        let bytes = size(&object).map_err(failed)?;
        let damaged = |source| self.wrong(key, source);
        let offset = layout.index_offset(bytes).map_err(damaged)?;
        let mut encoded = buffer(layout.index_bytes()).map_err(damaged)?;
        store.read_at(&object, offset, &mut encoded).map_err(failed)?;
        Ok(Some((object, layout.decode_index(&encoded, bytes).map_err(damaged)?)))
    }

    /// A buffer for stored bytes, which keeps the memory of the last.
    fn room_for(&mut self, bytes: u64, (key, room): (&str, usize)) -> Result<Vec<u8>, ArrayError> {
        let fits = usize::try_from(bytes).ok().filter(|bytes| *bytes <= room);
        let source = CodecError::Memory { bytes, bytes_max: room as u64 };
        let bytes = fits.ok_or_else(|| self.wrong(key, source))?;
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.truncate(bytes);
        grow(&mut encoded, bytes).map_err(|source| self.wrong(key, source))?;
        Ok(encoded)
    }

    fn wrong(&self, key: &str, source: CodecError) -> ArrayError {
        self.array.damaged(key, source)
    }

    fn failed(&self, key: &str, source: IoError) -> ArrayError {
        self.array.failed(key, source)
    }
}

fn size(object: &Object) -> Result<u64, IoError> {
    let failed = |source| IoError::Os { operation: "read size", location: object.key().to_owned(), source };
    object.bytes().map_err(failed)
}

/// Writes one stored object (a chunk, or a shard of inner chunks) of text or bytes.
#[derive(Debug)]
pub struct VariableWriter<'a> {
    array: &'a Array,
    elements: &'a VariableElements,
    scratch: Scratch,
    encoded: Vec<u8>,
    shard: Option<Shard>,
    /// A reader finds the old object or the new one, never a part.
    replaces: bool,
    /// How large a shard may be that is held in memory, where a store takes only whole objects.
    whole_bytes_max: usize,
}

/// A shard that is being written.
#[derive(Debug)]
struct Shard {
    body: Body,
    entries: ShardIndex,
    end: u64,
}

/// Where a shard is until it is complete.
#[derive(Debug)]
enum Body {
    Object(Making),
    Memory(Vec<u8>),
}

impl<'a> VariableWriter<'a> {
    /// A writer of `array`, whose elements are `elements`; where it `replaces` objects, each is there, the old one or the new one,
    /// whatever is read or written meanwhile. Where the store takes only whole objects, a shard is held in memory, of `whole_bytes_max`
    /// at most.
    pub fn new(
        array: &'a Array,
        elements: &'a VariableElements,
        replaces: bool,
        whole_bytes_max: usize,
    ) -> Self {
        let (scratch, encoded) = (Scratch::default(), Vec::new());
        Self { array, elements, scratch, encoded, shard: None, replaces, whole_bytes_max }
    }

    /// Memory of its buffers.
    pub fn memory_bytes(&self) -> usize {
        let whole = if let Some(Shard { body: Body::Memory(whole), .. }) = &self.shard {
            whole.capacity()
        } else {
            0
        };
        self.scratch.memory_bytes().saturating_add(self.encoded.capacity()).saturating_add(whole)
    }

    /// Writes chunk `position`, unless it is nothing but the fill value; the bytes written. Inner chunks of a shard come one after the
    /// other, in C order, before [`Self::finish`].
    ///
    /// # Errors
    /// If it cannot be encoded or written.
    pub fn write(&mut self, position: &Dims, chunk: &Variable) -> Result<u64, ArrayError> {
        let object = self.array.object_of(&self.elements.chunks, position);
        let number = self.array.inner_number(&self.elements.chunks, &object, position);
        let key = self.array.key(&object);
        if chunk.iter().all(|element| element == self.elements.fill) {
            // What was stored before must not show through; a shard is replaced as a whole.
            if self.replaces && matches!(self.elements.codec, VariableCodec::Chunks(_)) {
                let removed = self.array.store().change(Change::Remove(&key));
                removed.map_err(|source| self.array.failed(&key, source))?;
            }
            return Ok(0);
        }
        let encoded = self.elements.chain().encode(chunk, &mut self.encoded, &mut self.scratch);
        encoded.map_err(|source| self.array.damaged(&key, source))?;
        match &self.elements.codec {
            VariableCodec::Chunks(_) => self.put(&key, &self.encoded)?,
            VariableCodec::Shards { layout, .. } => self.add(&key, layout, number)?,
        }
        Ok(self.encoded.len() as u64)
    }

    /// Writes a whole object.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), ArrayError> {
        let store = self.array.store();
        let written = if self.replaces { store.put(key, bytes) } else { store.write_whole(key, bytes) };
        written.map_err(|source| self.array.failed(key, source))
    }

    /// Adds the encoded chunk to the shard `key` as inner chunk `number`.
    fn add(&mut self, key: &str, layout: &ShardLayout, number: u64) -> Result<(), ArrayError> {
        let (array, store) = (self.array, self.array.store());
        let failed = |source| array.failed(key, source);
        let Shard { body, entries, end } = match &mut self.shard {
            Some(shard) => shard,
            none => {
                let body = if store.abilities().partial_writes {
                    Body::Object(store.make(key, self.replaces).map_err(failed)?)
                } else {
                    Body::Memory(Vec::new())
                };
                let entries = ShardIndex::empty(index(layout.grid().count()));
                none.insert(Shard { body, entries, end: layout.data_offset() })
            }
        };
        let bytes = self.encoded.len() as u64;
        match body {
            Body::Object(file) => store.write_at(file, *end, &self.encoded).map_err(failed)?,
            Body::Memory(whole) => {
                let needed = end.saturating_add(bytes).saturating_add(layout.index_bytes() as u64);
                let bytes_max = self.whole_bytes_max as u64;
                if needed > bytes_max {
                    return Err(array.damaged(key, CodecError::Memory { bytes: needed, bytes_max }));
                }
                let start = index(*end);
                grow(whole, start + self.encoded.len()).map_err(|source| array.damaged(key, source))?;
                whole[start..].copy_from_slice(&self.encoded);
            }
        }
        entries.set(index(number), *end, bytes);
        *end += bytes;
        Ok(())
    }

    /// Completes the stored object `object`: a shard gets its index. The bytes written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(&mut self, object: &Dims) -> Result<u64, ArrayError> {
        let (Some(Shard { body, entries, end }), VariableCodec::Shards { layout, .. }) =
            (self.shard.take(), &self.elements.codec)
        else {
            return Ok(0);
        };
        let key = self.array.key(object);
        self.encoded.clear();
        self.encoded.resize(layout.index_bytes(), 0);
        layout.encode_index(&entries, &mut self.encoded);
        let offset = if layout.data_offset() == 0 { end } else { 0 };
        match body {
            Body::Object(file) => {
                let written = self.array.store().write_at(&file, offset, &self.encoded);
                written.and_then(|()| file.finish()).map_err(|source| self.array.failed(&key, source))?;
            }
            Body::Memory(mut whole) => {
                let start = index(offset);
                grow(&mut whole, start + self.encoded.len())
                    .map_err(|source| self.array.damaged(&key, source))?;
                whole[start..start + self.encoded.len()].copy_from_slice(&self.encoded);
                self.put(&key, &whole)?;
            }
        }
        Ok(self.encoded.len() as u64)
    }
}

/// The elements of `cell` in C order, put together from the chunks of `grid` that `chunks` holds, by their index; what lies beyond
/// the array or in a chunk that is not there is `fill`.
///
/// # Panics
/// If a chunk that overlaps `cell` is not in `chunks`.
pub fn put_together<'c>(
    cell: &Region,
    grid: &ChunkGrid,
    chunk: impl Fn(&Dims) -> Option<&'c Variable>,
    fill: &[u8],
    out: &mut Variable,
) {
    out.clear();
    let rank = cell.shape().len();
    let extent = grid.array_shape();
    let mut at: Dims = cell.start().into();
    let mut run: Option<(Dims, Option<&Variable>)> = None;
    for _ in 0..cell.elements() {
        let inside = at.iter().zip(extent).all(|(at, n)| at < n);
        if inside {
            let (mut position, mut offset) = (Dims::new(), 0);
            for d in 0..rank {
                let (index, start, length) = grid.chunk_at(d, at[d]);
                position.push(index);
                offset = offset * length + (at[d] - start);
            }
            if run.as_ref().is_none_or(|(of, _)| *of != position) {
                run = Some((position.clone(), chunk(&position)));
            }
            let stored = run.as_ref().and_then(|(_, chunk)| *chunk);
            out.push(stored.map_or(fill, |chunk| chunk.get(index(offset))));
        } else {
            out.push(fill);
        }
        for d in (0..rank).rev() {
            at[d] += 1;
            if at[d] < cell.end(d) {
                break;
            }
            at[d] = cell.start()[d];
        }
    }
}
