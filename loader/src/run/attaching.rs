//! What a run shows and hears while places are attached and detached: progress on the terminal, how long it will take, Ctrl-C.

use super::Options;
use crate::attach::Attached;
use crate::attach::pace::{Estimate, Watch};
use crate::attach::progress::{ERASE, Progress};
use crate::events::Events;
use std::io::{self, Write};

/// Shows on the terminal what happens to places, if somebody looks at it.
fn progress(what: &'static str, options: &Options) -> Option<Progress> {
    options.progress.map(|places| Progress::start(what, places, io::stderr()))
}

/// What attaching asks the run, and tells it.
pub(super) struct Attaching<'a> {
    events: &'a Events,
    progress: Option<Progress>,
    warnings: bool,
}

impl<'a> Attaching<'a> {
    /// Signals come with `events`.
    pub(super) fn new(events: &'a Events, options: &Options) -> Attaching<'a> {
        Attaching { events, progress: progress("Attaching", options), warnings: options.warnings }
    }
}

impl Watch for Attaching<'_> {
    fn stop(&mut self) -> bool {
        self.events.signal_is_waiting()
    }

    fn attached(&mut self, places: usize) {
        if let Some(progress) = &self.progress {
            progress.set(places);
        }
    }

    fn slow(&mut self, estimate: &Estimate) -> bool {
        let erase = if self.progress.is_some() { ERASE } else { "" };
        // Where nobody can be told, nobody is waited for.
        self.warnings && writeln!(io::stderr(), "{erase}warning: {estimate}").is_ok()
    }
}

/// Detaches all, and shows how far it is where each place is detached by itself.
pub(super) fn detach(attached: Attached, options: &Options) {
    let (places, descriptors) = (attached.sites(), attached.descriptors());
    let progress = progress("Detaching", options);
    attached.detach(&mut |closed| {
        if let Some(progress) = progress.as_ref().filter(|_| descriptors > places) {
            progress.set(closed * places / descriptors);
        }
    });
}
