//! Chunks of text and bytes: whatever is stored, decoding stays within the memory that is allowed, and a chunk survives its own
//! encoding.

use arbitrary::{Result, Unstructured};
use serde_json::json;
use zarrange_codec::{CodecError, Scratch, Variable, VariableChain, VariableKind};

use crate::chain::compressor;
use crate::codecs;

/// Much, for so few elements.
const ROOM: usize = 1 << 16;

/// Reads a chain and stored bytes from `data`, and checks what the chain makes of them.
pub fn run(data: &[u8]) {
    // An input that ends early is a shorter problem, not a finding.
    let _ = solve(&mut Unstructured::new(data));
}

fn solve(u: &mut Unstructured<'_>) -> Result<()> {
    let shape = [u.int_in_range(0..=9)?, u.int_in_range(0..=9)?];
    let text: bool = u.arbitrary()?;
    let kind = if text { VariableKind::Text } else { VariableKind::Bytes };
    let mut list = Vec::new();
    if u.arbitrary()? {
        list.push(json!({"name": "transpose", "configuration": {"order": [1, 0]}}));
    }
    list.push(match (text, u.ratio(1, 8)?) {
        (true, true) => json!({"name": "numcodecs.categorize", "configuration": {
            "labels": ["a", "", "long".repeat(99)], "dtype": "O", "astype": u.choose(&["u1", ">i2", "<u8"])?}}),
        (true, false) => json!({"name": "vlen-utf8"}),
        (false, _) => json!({"name": "vlen-bytes"}),
    });
    for _ in 0..u.int_in_range(0..=3)? {
        list.extend(compressor(u)?);
    }
    let room = if u.arbitrary()? { ROOM } else { usize::from(u.arbitrary::<u16>()?) };
    let Ok(chain) = VariableChain::new(&codecs(json!(list)), kind, &shape, b"fill") else { return Ok(()) };
    let mut stored = Vec::new();
    let scratch = &mut Scratch::default();
    if u.arbitrary()? {
        let chunk = chunk(u, chain.elements(), text)?;
        if chain.encode(&chunk, &mut stored, scratch).is_ok() {
            check(&chain, &stored, usize::MAX, scratch);
        }
        for _ in 0..u.int_in_range(0..=4)? {
            let at = usize::from(u.arbitrary::<u16>()?) % stored.len().max(1);
            let byte: u8 = u.arbitrary()?;
            stored.get_mut(at).into_iter().for_each(|b| *b ^= byte);
        }
    } else {
        stored.extend_from_slice(u.bytes(u.len())?);
    }
    check(&chain, &stored, room, scratch);
    Ok(())
}

/// Elements that the fuzzer chooses.
fn chunk(u: &mut Unstructured<'_>, elements: usize, text: bool) -> Result<Variable> {
    let mut chunk = Variable::new();
    for _ in 0..elements {
        let bytes = u.int_in_range(0..=20)?.min(u.len());
        let bytes = u.bytes(bytes)?;
        match std::str::from_utf8(bytes) {
            Err(_) if text => chunk.push("é".as_bytes()),
            _ => chunk.push(bytes),
        }
    }
    Ok(chunk)
}

fn check(chain: &VariableChain, stored: &[u8], room: usize, scratch: &mut Scratch) {
    let mut elements = Variable::new();
    match chain.decode(stored, room, &mut elements, scratch) {
        Err(CodecError::Memory { bytes, bytes_max }) => {
            assert!(bytes > bytes_max && bytes_max == room as u64)
        }
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(()) => {
            assert_eq!(elements.len(), chain.elements(), "a chunk has all of its elements");
            let bytes = Variable::memory_bytes(elements.len(), elements.data_bytes());
            assert!(bytes <= room, "{bytes} bytes, {room} are allowed");
            let mut encoded = Vec::new();
            // Categories are to read only, as is a format of LZMA.
            if chain.encode(&elements, &mut encoded, scratch).is_ok() {
                let mut again = Variable::new();
                let decoded = chain.decode(&encoded, bytes, &mut again, &mut Scratch::default());
                decoded.expect("what was encoded decodes in the memory that it takes");
                assert!(elements == again, "a chunk survives its encoding");
                assert!(encoded.len() <= chain.encoded_bytes_max(bytes), "a chunk has a bound");
            }
        }
    }
}
