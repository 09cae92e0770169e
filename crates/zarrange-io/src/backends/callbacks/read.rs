//! Reads as gets, and what their answers mean.

use super::requests::{Found, Get, Wanted, unanswered};
use super::{Objects, Opened};
use crate::backend::{Extent, ReadRequest, Source};
use crate::{IoError, key};

/// A read on its way.
struct Reading {
    place: String,
    /// What to get; nothing where the size alone tells what is wrong.
    wanted: Option<Wanted>,
    found: Option<Found>,
    /// Bytes of the whole object, once they are known.
    total: Option<u64>,
}

impl Objects {
    /// Carries out the reads of `batch`: one batch of gets, and another one of sizes where those have to be asked for.
    pub(super) fn get(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        let mut readings: Vec<Result<Reading, IoError>> =
            batch.iter().map(|request| begin(within, request)).collect();
        let buffers = batch.iter_mut().map(|request| &mut *request.buffer);
        let asked = readings.iter().zip(buffers).filter_map(|(reading, buffer)| {
            let Reading { place, wanted, .. } = reading.as_ref().ok()?;
            Some(Get::new(place, wanted.clone()?, buffer))
        });
        let answers = self.answers(asked.collect());
        let wanting = readings.iter_mut().filter(|r| r.as_ref().is_ok_and(|r| r.wanted.is_some()));
        take(wanting, answers, |reading, found| {
            reading.total = reading.total.or(found.total);
            reading.found = Some(found);
        });
        let unknown = |(reading, request): &(&mut Result<Reading, IoError>, &ReadRequest<'_>)| {
            reading.as_ref().is_ok_and(|reading| reading.lacks_total(request))
        };
        let lacking = readings.iter_mut().zip(&*batch).filter(unknown);
        let asked = lacking.filter_map(|(reading, _)| reading.as_ref().ok().map(|r| r.place.as_str()));
        let answers = self.sizes(asked);
        let lacking = readings.iter_mut().zip(&*batch).filter(unknown).map(|(reading, _)| reading);
        take(lacking, answers, |reading, found| reading.total = Some(found.bytes));
        for (request, reading) in batch.iter_mut().zip(readings) {
            request.result = reading.and_then(|reading| self.outcome(&reading, request));
        }
    }

    /// Bytes of the object at `place`.
    pub(super) fn bytes(&self, place: &str) -> Result<u64, IoError> {
        let answer = self.sizes(std::iter::once(place)).pop();
        answer.unwrap_or_else(|| Err(self.failed("read", place, unanswered()))).map(|found| found.bytes)
    }

    pub(super) fn sizes<'p>(&self, places: impl Iterator<Item = &'p str>) -> Vec<Result<Found, IoError>> {
        let answers = self.answers(places.map(|place| Get::new(place, Wanted::Size, &mut [])).collect());
        let size = |found: Found| Found { bytes: found.total.unwrap_or(found.bytes), ..found };
        answers.into_iter().map(|answer| answer.map(size)).collect()
    }

    fn answers(&self, mut gets: Vec<Get<'_>>) -> Vec<Result<Found, IoError>> {
        if !gets.is_empty() {
            self.callbacks.get(&mut gets);
        }
        let answer = |get: Get<'_>| {
            let place = get.key();
            match get.into_answer() {
                Ok(Some(found)) => Ok(found),
                Ok(None) => Err(IoError::NotFound { location: self.locate(place) }),
                Err(source) => Err(self.failed("read", place, source)),
            }
        };
        gets.into_iter().map(answer).collect()
    }

    /// What became of a read.
    fn outcome(&self, reading: &Reading, request: &ReadRequest<'_>) -> Result<usize, IoError> {
        let Reading { place, found, total, .. } = reading;
        let (location, room) = (|| self.locate(place), request.buffer.len());
        let got = found.map_or(0, |found| found.bytes);
        if let (Extent::Part { of, .. }, Some(bytes)) = (request.extent, *total)
            && bytes != of
        {
            return Err(IoError::Size { location: location(), bytes, expected: of });
        }
        let fits = usize::try_from(got).ok().filter(|got| *got <= room);
        match (request.extent, fits) {
            (Extent::Whole, Some(got)) => Ok(got),
            (Extent::Whole, None) => {
                Err(IoError::TooLarge { location: location(), bytes: got, bytes_max: room as u64 })
            }
            (Extent::From(offset) | Extent::Part { offset, .. }, Some(got)) => {
                let end = offset.checked_add(room as u64);
                let within = total.is_none_or(|total| end.is_some_and(|end| end <= total));
                if got == room && within {
                    return Ok(room);
                }
                let (bytes, available) = (room as u64, total.unwrap_or(0));
                Err(IoError::Short { location: location(), offset, bytes, available })
            }
            (Extent::From(_) | Extent::Part { .. }, None) => {
                let text = format!("{got} bytes were answered where {room} were asked for");
                Err(self.failed("read", place, text.into()))
            }
        }
    }
}

/// What to get for `request`.
fn begin(within: &str, request: &ReadRequest<'_>) -> Result<Reading, IoError> {
    let (place, total) = match request.source {
        Source::Key(key) => (key::join(within, key)?, None),
        Source::Open(object) => {
            let Opened(bytes) = object.handle()?;
            (object.place().to_owned(), Some(*bytes))
        }
    };
    let wanted = match request.extent {
        Extent::Whole => Some(Wanted::Whole),
        Extent::From(offset) | Extent::Part { offset, .. } => {
            let end = offset.checked_add(request.buffer.len() as u64);
            let range = end.filter(|end| *end > offset && total.is_none_or(|total| *end <= total));
            range.map(|end| Wanted::Range(offset..end))
        }
    };
    Ok(Reading { place, wanted, found: None, total })
}

impl Reading {
    /// Whether only the size of the object tells whether what was found is right, and that is not known.
    fn lacks_total(&self, request: &ReadRequest<'_>) -> bool {
        let short = self.found.is_none_or(|found| found.bytes < request.buffer.len() as u64);
        let matters = match request.extent {
            Extent::Whole => false,
            Extent::From(_) => short,
            Extent::Part { .. } => true,
        };
        matters && self.total.is_none()
    }
}

/// Gives each of `readings` its answer.
fn take<'r>(
    readings: impl Iterator<Item = &'r mut Result<Reading, IoError>>,
    answers: Vec<Result<Found, IoError>>,
    with: impl Fn(&mut Reading, Found),
) {
    for (reading, answer) in readings.zip(answers) {
        match (reading.as_mut(), answer) {
            (Ok(reading), Ok(found)) => with(reading, found),
            (_, Err(error)) => *reading = Err(error),
            (Err(_), Ok(_)) => {}
        }
    }
}
