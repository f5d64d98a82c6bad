//! See the function that it calls.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| weir::lists::fuzz_list(data));
