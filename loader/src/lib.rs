//! Loading, attaching and watching: everything of gotrace that changes or observes the machine.

pub mod attach;
pub mod env;
pub mod load;
pub mod maps;
pub mod output;
pub mod symbolize;
pub mod sys;
pub mod value;
