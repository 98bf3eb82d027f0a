#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("tracefs_format"), |bytes: &[u8]| targets::entry::text::tracefs_format(bytes));
