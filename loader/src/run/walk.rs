//! The walks of iterators: their files are read to the end, and the records that each read brings are acted on before the next one.
//!
//! A program writes a byte for each object that it may send records about (`codegen::lower::walk`), so the length of a read says how many
//! objects it visits at most.

use super::error::during;
use super::{Run, RunError};
use crate::attach::iter::Walk;
use crate::events::Events;
use codegen::object;
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Of the ring buffer, the part that one read may fill by its reckoning: what is unforeseen has room in the rest.
const FILLED: u32 = 4;
/// Most objects of a read.
const OBJECTS: usize = 4096;
/// How often a signal or the deadline is looked for: that costs more than an object.
const LOOK: Duration = Duration::from_millis(20);

impl Run<'_> {
    /// Makes the walks one after the other, until `exit()`, a signal or the deadline.
    pub(super) fn walk(&mut self, walks: Vec<Walk>, events: &mut Events) -> Result<(), RunError> {
        let deadline = self.options.timeout.map(|timeout| Instant::now() + timeout);
        let mut looked = Instant::now();
        for mut walk in walks {
            let mut bytes = vec![0; self.objects_at_once(&walk)];
            loop {
                let read = match walk.file.read(&mut bytes) {
                    Ok(0) => break,
                    // The kernel ends a read that has visited a million objects without output.
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
                    other => other.map_err(during("reading an iterator"))?,
                };
                if read > 0 {
                    self.drain_all(events)?;
                }
                if self.done() {
                    return Ok(());
                }
                if looked.elapsed() >= LOOK {
                    looked = Instant::now();
                    if events.signal_is_waiting() || deadline.is_some_and(|d| d <= looked) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// How many objects a read may visit so that their records fit the ring buffer.
    fn objects_at_once(&self, walk: &Walk) -> usize {
        if walk.one_by_one {
            return 1;
        }
        let Some(ring) = self.object.map_index(object::EVENTS) else { return OBJECTS };
        // Each record has a header of 8 bytes (`BPF_RINGBUF_HDR_SZ`).
        let each: u32 = self.object.records.iter().map(|r| r.size + 8).sum();
        let room = self.object.maps[ring].max_entries / FILLED;
        (room.checked_div(each).unwrap_or(0) as usize).clamp(1, OBJECTS)
    }
}
