#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("binary"), |bytes: &[u8]| targets::entry::whole_binary(bytes));
