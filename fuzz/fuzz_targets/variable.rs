//! Chunks of text and bytes under the fuzzer: see `zarrange_fuzz::variable`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zarrange_fuzz::variable::run(data));
