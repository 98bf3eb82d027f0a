#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("format"), |bytes: &[u8]| targets::entry::script::format(bytes));
