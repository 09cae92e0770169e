//! The names of the codecs that are known here, and where they stand in a list.

use zarrs::metadata::v3::MetadataV3;

/// The name of a step of our own that reverses bytes within records (`units`: offset and bytes of each; `record_bytes`): no document has it.
pub const SWAP_FIELDS: &str = "zarrange.swap_fields";

/// Codecs from arrays to arrays, by the names that numcodecs has for them, if it has them.
pub(crate) const FILTERS: [&str; 9] = [
    "transpose",
    "cast_value",
    "scale_offset",
    "delta",
    "fixedscaleoffset",
    "quantize",
    "bitround",
    "packbits",
    "astype",
];

/// Codecs from bytes to bytes.
const PACKERS: [&str; 14] = [
    "zstd",
    "blosc",
    "gzip",
    "zlib",
    "bz2",
    "lz4",
    "lzma",
    "shuffle",
    "crc32",
    "crc32c",
    "adler32",
    "fletcher32",
    "jenkins_lookup3",
    "base64",
];

/// Those that Zarr v3 knows without numcodecs.
const PLAIN: [&str; 9] =
    ["transpose", "cast_value", "scale_offset", "bytes", "bitround", "zstd", "blosc", "gzip", "crc32c"];

/// Where a codec that is known here stands in a list: 0 array to array, 1 array to bytes, 2 bytes to bytes.
pub(crate) fn stage(codec: &MetadataV3) -> Option<u8> {
    if is_serializer(codec.name()) {
        return Some(1);
    }
    let name = known(codec.name())?;
    Some(if FILTERS.contains(&name) {
        0
    } else if name == "bytes" {
        1
    } else {
        2
    })
}

/// The name in numcodecs of a codec that is known here.
pub(crate) fn known(name: &str) -> Option<&str> {
    let prefixes =
        ["numcodecs.", "https://codec.zarrs.dev/bytes_to_bytes/", "https://codec.zarrs.dev/array_to_bytes/"];
    if name == SWAP_FIELDS {
        return Some(SWAP_FIELDS);
    }
    match prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        // Those of Zarr v3 only, whatever comes before.
        Some("bytes" | "transpose" | "cast_value" | "scale_offset") => None,
        Some("categorize") => Some("categorize"),
        Some(own) => (FILTERS.contains(&own) || PACKERS.contains(&own)).then_some(own),
        None => PLAIN.contains(&name).then_some(name),
    }
}

/// Whether a codec makes bytes of elements without a fixed size.
fn is_serializer(name: &str) -> bool {
    matches!(own_name(name), Some("vlen-utf8" | "vlen-bytes" | "categorize"))
}

/// The name of a codec for elements without a fixed size, as numcodecs has it.
pub(crate) fn own_name(name: &str) -> Option<&str> {
    match name {
        "vlen-utf8" | "vlen-bytes" => Some(name),
        _ => name.strip_prefix("numcodecs."),
    }
}
