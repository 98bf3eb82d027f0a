#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("code"), |bytes: &[u8]| targets::entry::text::code(bytes));
