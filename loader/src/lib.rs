//! Loading, attaching and watching: everything of gotrace that changes or observes the machine.

pub mod attach;
pub mod cli;
pub mod decode;
pub mod env;
pub mod events;
mod gocopy;
pub mod load;
pub mod maps;
mod needs;
pub mod number;
pub mod output;
mod partition;
pub mod privileges;
pub mod run;
pub mod symbolize;
pub mod sys;
pub mod target;
pub mod tracefs;
pub mod unwind;
pub mod value;
