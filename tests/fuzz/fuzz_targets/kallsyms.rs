#![no_main]

libfuzzer_sys::fuzz_target!(init: targets::write_seeds("kallsyms"), |bytes: &[u8]| targets::entry::text::kallsyms(bytes));
