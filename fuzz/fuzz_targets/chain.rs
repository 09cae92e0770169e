//! Chunks under the fuzzer: see `zarrange_fuzz::chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zarrange_fuzz::chain::run(data));
