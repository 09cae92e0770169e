//! Shard indexes under the fuzzer: see `zarrange_fuzz::shard_index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zarrange_fuzz::shard_index::run(data));
