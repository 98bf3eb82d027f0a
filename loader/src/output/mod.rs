//! Everything that reaches the user as an answer: values, maps and messages, as text or as JSON lines.
//!
//! The event loop hands [`crate::value::Value`]s and [`crate::maps::Entry`]s to a [`sink::Sink`]; this module turns them
//! into bytes whose layout is bpftrace's, so that scripts and pipelines made for its output keep working. Nothing here
//! reads maps or decides when something is printed.

mod gfp;
mod goerror;
pub mod goform;
pub mod hist;
pub mod json;
pub mod names;
pub mod printf;
pub mod report;
pub mod sink;
pub mod stream;
pub mod strftime;
pub mod text;
pub mod trial;
pub mod tseries;
pub mod writer;

use crate::symbolize::Resolve;
use crate::sys::clock::WallClock;
use std::rc::Rc;

/// What the printed form of a value depends on besides the value.
#[derive(Clone)]
pub struct Context {
    /// Gives names to addresses.
    pub symbols: Rc<dyn Resolve>,
    /// What a string that was cut ends in (`str_trunc_trailer`).
    pub trailer: Rc<str>,
    /// Turns times since boot into times of day.
    pub clock: WallClock,
}
