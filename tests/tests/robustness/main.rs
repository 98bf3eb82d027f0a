//! Untrusted bytes: the readers on damaged copies of real programs, and all entry points of `tests/fuzz` on changed seeds.

mod damage;
#[path = "../../fuzz/entry/mod.rs"]
mod entry;
mod random_inputs;
