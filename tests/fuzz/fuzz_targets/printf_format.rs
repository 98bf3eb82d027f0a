#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("printf_format"), |bytes: &[u8]| targets::entry::text::printf_format(bytes));
