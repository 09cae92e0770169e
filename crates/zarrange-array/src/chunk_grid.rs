//! The `chunk_grid` of a document: regular, or rectilinear (chunks of different lengths).

use zarrange_grid::{ChunkGrid, Edges, GridError};

use crate::json::{Json, Members};

/// Why a document's chunk grid is none.
pub(crate) enum GridFault {
    /// What it says cannot be understood; what would be right.
    Metadata(String),
    /// It does not fit the array.
    Shape(GridError),
}

/// The grid that `metadata` (a `chunk_grid`) describes, over an array of `shape`.
pub(crate) fn parse(metadata: &Json, shape: &[u64]) -> Result<ChunkGrid, GridFault> {
    let configured =
        |key: &str| metadata.get("configuration").and_then(|c| c.get(key)).unwrap_or(&Json::Null);
    match metadata.get("name").and_then(Json::as_str) {
        Some("regular") => {
            let chunk = dims(configured("chunk_shape"), "chunk_shape").map_err(GridFault::Metadata)?;
            ChunkGrid::new(shape, &chunk).map_err(GridFault::Shape)
        }
        Some("rectilinear") => {
            let kind = configured("kind");
            if kind.as_str() != Some("inline") {
                let detail =
                    format!("kind of the rectilinear chunk grid is {kind}, \"inline\" would be right");
                return Err(GridFault::Metadata(detail));
            }
            rectilinear(configured("chunk_shapes"), shape)
        }
        name => Err(GridFault::Metadata(format!(
            "chunk grid {:?} is not supported: regular and rectilinear ones are",
            name.unwrap_or("(none)")
        ))),
    }
}

fn rectilinear(chunk_shapes: &Json, shape: &[u64]) -> Result<ChunkGrid, GridFault> {
    let axes = chunk_shapes.as_array().filter(|axes| axes.len() == shape.len());
    let axes = axes.ok_or_else(|| {
        let expected = format!("a list of the chunks of each of {} dimensions would be right", shape.len());
        GridFault::Metadata(format!("chunk_shapes is {chunk_shapes}, {expected}"))
    })?;
    let edges = axes.iter().zip(shape).enumerate().map(|(d, (axis, extent))| {
        let wrong = |detail: String| GridFault::Metadata(format!("chunk_shapes of dimension {d}: {detail}"));
        let lengths = lengths(axis, *extent).map_err(wrong)?;
        Edges::new(*extent, lengths).map_err(|e| wrong(e.to_string()))
    });
    ChunkGrid::rectilinear(shape, edges.collect::<Result<_, _>>()?).map_err(GridFault::Shape)
}

/// Lengths of chunks, and how many of each follow each other: a number for all of them, or a list of lengths and of pairs of a
/// length and a count.
fn lengths(axis: &Json, extent: u64) -> Result<Vec<(u64, u64)>, String> {
    if let Some(length) = axis.as_u64() {
        return Ok(vec![(length, extent.div_ceil(length.max(1)).max(1))]);
    }
    let wrong = |what: &Json| {
        format!(
            "{what} is neither a number of elements nor a list of such numbers and of pairs [elements, chunks]"
        )
    };
    let one = |item: &Json| match (item.as_u64(), item.as_array()) {
        (Some(length), _) => Ok((length, 1)),
        (_, Some([length, count])) => length.as_u64().zip(count.as_u64()).ok_or_else(|| wrong(item)),
        _ => Err(wrong(item)),
    };
    axis.as_array().ok_or_else(|| wrong(axis))?.iter().map(one).collect()
}

/// Gives a regular grid with lists of lengths, which zarr-python 3.2 wrote, the name that it has since.
pub(crate) fn normalise(metadata: &mut Json) {
    let shapes = metadata.get("configuration").and_then(|c| c.get("chunk_shape")).and_then(Json::as_array);
    let listed = shapes.filter(|axes| axes.iter().any(|axis| axis.as_array().is_some())).map(<[_]>::to_vec);
    let (Some(shapes), Json::Object(members)) = (listed, metadata) else { return };
    if members.get("name").and_then(Json::as_str) == Some("regular") {
        let configuration: Members = [
            ("kind".to_owned(), Json::String("inline".to_owned())),
            ("chunk_shapes".to_owned(), Json::Array(shapes)),
        ]
        .into_iter()
        .collect();
        members.insert("name".to_owned(), Json::String("rectilinear".to_owned()));
        members.insert("configuration".to_owned(), Json::Object(configuration));
    }
}

/// A list of sizes.
pub(crate) fn dims(value: &Json, name: &str) -> Result<Vec<u64>, String> {
    let numbers = value.as_array().and_then(|a| a.iter().map(Json::as_u64).collect::<Option<_>>());
    numbers.ok_or_else(|| {
        let value = if value.is_null() { "missing".to_owned() } else { value.to_string() };
        format!("{name} is {value}, a list of non-negative integers would be right")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn grids_as_documents_write_them() {
        let check = |mut metadata: Value, shape: &[u64], expected: Result<&[&[u64]], &str>| {
            let mut grid: Json = metadata.take().into();
            normalise(&mut grid);
            let parsed = parse(&grid, shape).map(|grid| {
                let lengths = |d: usize| (0..grid.counts()[d]).map(|k| grid.span(d, k).1).collect();
                (0..grid.rank()).map(lengths).collect::<Vec<Vec<u64>>>()
            });
            let parsed = parsed.map_err(|fault| match fault {
                GridFault::Metadata(detail) => detail,
                GridFault::Shape(error) => error.to_string(),
            });
            let expected = expected.map(|axes| axes.iter().map(|axis| axis.to_vec()).collect());
            assert_eq!(parsed, expected.map_err(str::to_owned), "{grid}");
        };
        let inline = |shapes: Value| json!({"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": shapes}});
        let regular = |shape: Value| json!({"name": "regular", "configuration": {"chunk_shape": shape}});
        check(regular(json!([4, 3])), &[6, 3], Ok(&[&[4, 4], &[3]]));
        check(inline(json!([4, [1, 2, 3]])), &[6, 6], Ok(&[&[4, 4], &[1, 2, 3]]));
        check(inline(json!([[[4, 2]], [[1, 3], 3]])), &[6, 6], Ok(&[&[4, 4], &[1, 1, 1, 3]]));
        check(inline(json!([[1, 5], [7, 7]])), &[6, 6], Ok(&[&[1, 5], &[7]]));
        check(inline(json!([])), &[], Ok(&[]));
        check(inline(json!([3, [2, 2]])), &[0, 3], Ok(&[&[], &[2, 2]]));
        check(regular(json!([4, [1, 2, 3]])), &[6, 6], Ok(&[&[4, 4], &[1, 2, 3]]));
        let wrong = |shapes: Value, detail: &str| check(inline(shapes), &[6, 6], Err(detail));
        wrong(json!([4]), "chunk_shapes is [4], a list of the chunks of each of 2 dimensions would be right");
        wrong(
            json!([4, [1, 2]]),
            "chunk_shapes of dimension 1: the chunks end at 3, and the dimension has 6 elements: their lengths must add up to as many or more",
        );
        wrong(
            json!([0, 6]),
            "chunk_shapes of dimension 0: 0 elements, 6 times: at least 1 of each would be right",
        );
        wrong(
            json!([[[3, 0], 6], 6]),
            "chunk_shapes of dimension 0: 3 elements, 0 times: at least 1 of each would be right",
        );
        wrong(
            json!([[[3, 1, 1]], 6]),
            "chunk_shapes of dimension 0: [3,1,1] is neither a number of elements nor a list of such numbers and of pairs [elements, chunks]",
        );
        wrong(
            json!([-1, 6]),
            "chunk_shapes of dimension 0: -1 is neither a number of elements nor a list of such numbers and of pairs [elements, chunks]",
        );
        check(
            json!({"name": "rectilinear", "configuration": {"kind": "file", "chunk_shapes": [6, 6]}}),
            &[6, 6],
            Err("kind of the rectilinear chunk grid is \"file\", \"inline\" would be right"),
        );
        check(
            json!({"name": "hexagonal"}),
            &[6, 6],
            Err("chunk grid \"hexagonal\" is not supported: regular and rectilinear ones are"),
        );
    }
}
