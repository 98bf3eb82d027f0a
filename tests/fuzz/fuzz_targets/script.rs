#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("script"), |bytes: &[u8]| targets::entry::script::check(bytes));
