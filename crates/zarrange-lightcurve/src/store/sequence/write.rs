//! The elements of observations in an array, chunk by chunk.

use zarrange_array::{Array, RegionReader, RegionWriter};
use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::fill::FillReport;
use crate::store::sequence::observations::{Given, Observations};

/// Calls `change` with each of the observations that are wanted, its values, and its element of `array`, and writes the chunks in which it
/// changed one.
///
/// # Errors
/// The first of `change`, or if a chunk cannot be read or written.
pub(super) fn each(
    array: &Array,
    given: &mut Observations,
    (wanted, writes): (&dyn Fn(&Given) -> bool, bool),
    mut change: impl FnMut(&mut Given, &[u8], &mut [u8]) -> Result<bool, LightCurveError>,
) -> Result<FillReport, LightCurveError> {
    let (grid, item) = (array.objects(), array.elements()?.item_bytes());
    let mut chunks = RegionReader::new(array)?;
    let mut changes = if writes { Some(RegionWriter::replacing(array)?) } else { None };
    let (mut report, mut data, mut placed, mut at) = (FillReport::default(), Vec::new(), Vec::new(), 0);
    while let Some(first) = given.rows.get(at) {
        let row = grid.chunk_at(0, first.object).0;
        let end = grid.region(&[row, 0]).end(0);
        let here = at..at + given.rows[at..].partition_point(|row| row.object < end);
        at = here.end;
        // By the chunk that each lies in.
        placed.clear();
        let rows = here.filter(|k| wanted(&given.rows[*k]));
        placed.extend(rows.map(|k| (grid.chunk_at(1, given.rows[k].place).0, k)));
        placed.sort_unstable();
        for of_chunk in placed.chunk_by(|a, b| a.0 == b.0) {
            let region = grid.region(&[row, of_chunk[0].0]);
            data.resize(item * index(region.elements()), 0);
            chunks.read_into(&region, &mut data)?;
            let mut count = 0;
            for (_, k) in of_chunk {
                let values = given.values_of(&given.rows[*k]);
                let place = &mut given.rows[*k];
                let element = item * index(region.linear(&[place.object, place.place]));
                let element = &mut data[element..element + item];
                count += u64::from(change(place, &given.values[values], element)?);
            }
            if let Some(writer) = changes.as_mut().filter(|_| count > 0) {
                writer.write(&region, &data)?;
                report.changed += count;
                report.chunks += 1;
            }
        }
    }
    Ok(report)
}
