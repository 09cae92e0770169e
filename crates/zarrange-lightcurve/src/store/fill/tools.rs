//! What reads and writes the chunks of arrays, and their buffers, for one thread within its memory.

use zarrange_array::{Array, RegionReader, RegionWriter};
use zarrange_codec::ArrayCodec;
use zarrange_grid::{Dims, Region};

use crate::LightCurveError;
use crate::store::fill::shard::ShardReplacer;
use crate::store::memory::{Share, filling, reading};

/// What reads and writes the chunks of an array.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    array: &'a Array,
    /// Made when something is read. That of shards, which keeps them open, is made anew each time: they are replaced meanwhile.
    reader: Option<RegionReader<'a>>,
    /// Made when something is written.
    writer: Option<Writer<'a>>,
    /// What it may take.
    bytes: u64,
}

/// What writes stored objects.
#[derive(Debug)]
enum Writer<'a> {
    Chunks(RegionWriter<'a>),
    Shards(ShardReplacer<'a>),
}

impl Tools<'_> {
    /// Reads a region of the array as it is now.
    pub(super) fn read(&mut self, region: &Region, out: &mut [u8]) -> Result<(), LightCurveError> {
        let is_sharded = matches!(self.array.elements()?.codec, ArrayCodec::Shards(_));
        let reader = match self.reader.take().filter(|_| !is_sharded) {
            Some(reader) => reader,
            None => RegionReader::new(self.array)?,
        };
        Ok(self.reader.insert(reader).read_into(region, out)?)
    }

    /// Replaces a stored object, a chunk or a shard, whose region of the array has the elements `data`.
    pub(super) fn write(
        &mut self,
        object: &Dims,
        (region, data): (&Region, &[u8]),
    ) -> Result<(), LightCurveError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => match self.array.elements()?.codec {
                ArrayCodec::Shards(_) => Writer::Shards(ShardReplacer::new(self.array)?),
                ArrayCodec::Chunks(_) | ArrayCodec::Slices(_) => {
                    Writer::Chunks(RegionWriter::replacing(self.array)?)
                }
            },
        };
        match self.writer.insert(writer) {
            Writer::Chunks(writer) => Ok(writer.write(region, data)?),
            Writer::Shards(writer) => writer.write(object, (region, data)),
        }
    }
}

/// Tools for each array of values, made when they are needed, and buffers of chunks that nobody has now.
#[derive(Debug)]
pub(super) struct ToolBox<'a> {
    arrays: &'a [Array],
    /// What reading each of them takes, and what filling it does.
    needs: Vec<(u64, u64)>,
    tools: Vec<Option<Tools<'a>>>,
    free: Vec<Vec<u8>>,
    /// Bytes of chunks that somebody has.
    kept: u64,
    bytes_max: u64,
}

impl<'a> ToolBox<'a> {
    /// For these arrays; nothing is in it.
    pub(super) fn new(arrays: &'a [Array]) -> Self {
        let tools = arrays.iter().map(|_| None).collect();
        // What cannot be read is not read.
        let needs = arrays.iter().map(|array| (reading(array).unwrap_or(0), filling(array).unwrap_or(0)));
        Self { arrays, needs: needs.collect(), tools, free: Vec::new(), kept: 0, bytes_max: 0 }
    }

    /// Begins anew within `bytes_max`, of which some is taken `beside`, to fill the arrays at `written` and to read the others.
    ///
    /// # Errors
    /// [`LightCurveError::Room`] if that is too little for one of them.
    pub(super) fn begin(
        &mut self,
        written: &[usize],
        (bytes_max, beside): (u64, u64),
    ) -> Result<(), LightCurveError> {
        for (at, (array, (reading, filling))) in self.arrays.iter().zip(&self.needs).enumerate() {
            let needed = if written.contains(&at) { filling } else { reading };
            Share::all(bytes_max)
                .fits(&format!("a chunk of {}", array.location()), needed.saturating_add(beside))?;
        }
        (self.bytes_max, self.kept) = (bytes_max.saturating_sub(beside), 0);
        if self.taken() > self.bytes_max {
            self.tools.iter_mut().for_each(|tools| *tools = None);
        }
        self.trim();
        Ok(())
    }

    /// The tools of the array at `at`; where there is no room for those of all arrays, the others are put away.
    pub(super) fn of(&mut self, at: usize) -> &mut Tools<'a> {
        let own = if let Some(tools) = self.tools[at].take() {
            tools
        } else {
            let (array, (_, bytes)) = (&self.arrays[at], self.needs[at]);
            if self.taken().saturating_add(bytes) > self.bytes_max {
                self.tools.iter_mut().for_each(|tools| *tools = None);
            }
            Tools { array, reader: None, writer: None, bytes }
        };
        self.tools[at].insert(own)
    }

    /// A buffer of at least so many bytes.
    pub(super) fn buffer(&mut self, bytes: usize) -> Vec<u8> {
        let mut data = self.free.pop().unwrap_or_default();
        if data.len() < bytes {
            // What it had is not needed.
            data.clear();
            data.resize(bytes, 0);
        }
        data
    }

    /// Takes a buffer back.
    pub(super) fn put(&mut self, buffer: Vec<u8>) {
        self.free.push(buffer);
    }

    /// Whether somebody may keep a buffer for longer; it is noted.
    pub(super) fn keeps(&mut self, buffer: &Vec<u8>) -> bool {
        let bytes = buffer.capacity() as u64;
        let keeps = self.kept.saturating_add(bytes) <= self.room();
        self.kept += if keeps { bytes } else { 0 };
        keeps
    }

    /// What tools take.
    fn taken(&self) -> u64 {
        self.tools.iter().flatten().fold(0, |sum, tools| sum.saturating_add(tools.bytes))
    }

    /// What of the memory is left for chunks that are kept.
    fn room(&self) -> u64 {
        let most = self.needs.iter().map(|(_, filling)| *filling).max().unwrap_or(0);
        let free = self.free.iter().fold(0, |sum: u64, free| sum.saturating_add(free.capacity() as u64));
        self.bytes_max.saturating_sub(self.taken().max(most)).saturating_sub(free)
    }

    /// Takes all buffers back at the end, and gives up those that there is no room for.
    pub(super) fn end(&mut self, buffers: impl Iterator<Item = Vec<u8>>) {
        self.free.extend(buffers);
        self.kept = 0;
        self.trim();
    }

    fn trim(&mut self) {
        while self.free.len() > 1 && self.room() == 0 {
            self.free.pop();
        }
    }
}
