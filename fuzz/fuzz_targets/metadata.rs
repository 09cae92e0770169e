//! Metadata under the fuzzer: see `zarrange_fuzz::metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zarrange_fuzz::metadata::run(data));
