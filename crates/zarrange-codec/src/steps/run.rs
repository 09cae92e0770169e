//! A chunk on its way through steps: where its bytes are, and where they go next.

use std::mem;
use std::ops::Range;

use crate::CodecError;
use crate::steps::step::Flow;

/// The bytes between two steps. They begin outside, go to and fro between two buffers, and end in the output.
pub(crate) struct Run<'a> {
    place: Place,
    /// Where in its place the bytes are.
    range: Range<usize>,
    outside: &'a [u8],
    near: &'a mut [u8],
    far: &'a mut [u8],
    out: &'a mut [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Near,
    Out,
}

/// How many buffers steps with these flows, in the order in which they are done, want.
pub(crate) fn intermediates(flows: impl Iterator<Item = Flow> + Clone) -> usize {
    let (mut outside, mut count, mut rest) = (true, 0, flows);
    while let Some(flow) = rest.next() {
        let copies = flow == Flow::Copy || (outside && matches!(flow, Flow::InPlace | Flow::Append));
        let last = !rest.clone().any(|flow| matches!(flow, Flow::Copy | Flow::Narrow));
        count += usize::from(copies && !last);
        outside &= !copies;
    }
    count
}

impl<'a> Run<'a> {
    pub(crate) fn new(src: &'a [u8], out: &'a mut [u8], [first, second]: &'a mut [Vec<u8>; 2]) -> Self {
        Self { place: Place::Outside, range: 0..src.len(), outside: src, near: second, far: first, out }
    }

    pub(crate) const fn len(&self) -> usize {
        self.range.end - self.range.start
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let place = match self.place {
            Place::Outside => self.outside,
            Place::Near => self.near,
            Place::Out => self.out,
        };
        &place[self.range.clone()]
    }

    /// Does `step` from here to somewhere else, where there is room for `room` bytes: the output if this is the `last` time.
    pub(crate) fn copy(
        &mut self,
        last: bool,
        room: usize,
        step: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, CodecError>,
    ) -> Result<(), CodecError> {
        let src = match self.place {
            Place::Outside => self.outside,
            // Nothing is copied from the output, for it is the last place.
            Place::Near | Place::Out => &*self.near,
        };
        let dst = if last { &mut *self.out } else { &mut *self.far };
        let written = step(&src[self.range.clone()], &mut dst[..room])?;
        self.range = 0..written;
        if last {
            self.place = Place::Out;
        } else {
            mem::swap(&mut self.near, &mut self.far);
            self.place = Place::Near;
        }
        Ok(())
    }

    /// The bytes, to be changed where they are; what is outside is copied first.
    pub(crate) fn bytes_mut(&mut self, last: bool) -> &mut [u8] {
        self.bring_in(last);
        let place = if self.place == Place::Out { &mut *self.out } else { &mut *self.near };
        &mut place[self.range.clone()]
    }

    fn bring_in(&mut self, last: bool) {
        if self.place != Place::Outside {
            return;
        }
        let bytes = &self.outside[self.range.clone()];
        if last {
            self.out[..bytes.len()].copy_from_slice(bytes);
            self.place = Place::Out;
        } else {
            self.far[..bytes.len()].copy_from_slice(bytes);
            mem::swap(&mut self.near, &mut self.far);
            self.place = Place::Near;
        }
        self.range = 0..bytes.len();
    }

    /// Goes on with a part of the bytes.
    pub(crate) fn narrow(
        &mut self,
        part: impl FnOnce(&[u8]) -> Result<Range<usize>, CodecError>,
    ) -> Result<(), CodecError> {
        let part = part(self.bytes())?;
        self.range = self.range.start + part.start..self.range.start + part.end;
        Ok(())
    }

    /// Goes on with more bytes.
    pub(crate) fn append(&mut self, last: bool, more: &[u8]) {
        self.bring_in(last);
        let place = if self.place == Place::Out { &mut *self.out } else { &mut *self.near };
        let end = self.range.end;
        place[end..end + more.len()].copy_from_slice(more);
        self.range.end += more.len();
    }

    /// Brings the bytes to the start of the output; how many they are.
    pub(crate) fn finish(self) -> usize {
        let (start, n) = (self.range.start, self.range.end - self.range.start);
        match self.place {
            Place::Outside => self.out[..n].copy_from_slice(&self.outside[self.range]),
            Place::Near => self.out[..n].copy_from_slice(&self.near[self.range]),
            Place::Out => self.out.copy_within(start..start + n, 0),
        }
        n
    }
}
