//! Planning under the fuzzer: see `zarrange_fuzz::plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zarrange_fuzz::plan::run(data));
