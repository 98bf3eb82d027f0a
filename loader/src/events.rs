//! Waiting for everything that a run can hear of: records in the ring buffer, signals, the end of a process, a deadline.
//!
//! The run's loop calls [`Events::wait`], then [`Events::drain`], and flushes its output:
//!
//! ```text
//! wait -> drain every record -> flush the output -> act on the signal, the ended process or the deadline -> wait …
//! ```

use crate::sys::epoll::Epoll;
use crate::sys::signal::Signals;
use aya::maps::{MapData, RingBuf};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How often the ring buffer is looked at.
///
/// Programs submit records without waking the reader unless much is unread: the wake-up costs them several times more
/// than the record. A person does not see a fortieth of a second, and so many looks a second cost nothing.
pub const POLL: Duration = Duration::from_millis(25);

/// Records that one [`Events::drain`] hands on at most, so that a flood of them cannot keep a Ctrl-C from being heard.
const BURST: usize = 1 << 14;

const RING: u64 = 0;
const SIGNALS: u64 = 1;
const PROCESS: u64 = 2;
const SELF: u64 = 3;

/// Sources of events.
pub struct Events {
    set: Epoll,
    /// `None` for scripts that send no records.
    ring: Option<RingBuf<MapData>>,
    signals: Option<Signals>,
    /// Signals that the script waits for.
    own: Option<Signals>,
    deadline: Option<Instant>,
    /// The last drain ended before the ring buffer was empty.
    more: bool,
}

/// What a wait ended with, besides records that may be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wake {
    /// A signal came.
    pub signal: Option<i32>,
    /// So many signals came that the script waits for.
    pub own_signals: u32,
    /// The watched process has ended.
    pub process_ended: bool,
    /// The deadline has passed.
    pub timed_out: bool,
}

impl Events {
    /// Waits for records, and for signals if given.
    ///
    /// # Errors
    /// As the system calls of epoll.
    pub fn new(ring: Option<RingBuf<MapData>>, signals: Option<Signals>) -> io::Result<Events> {
        let set = Epoll::new()?;
        if let Some(ring) = &ring {
            set.add(ring.as_fd(), RING)?;
        }
        if let Some(signals) = &signals {
            set.add(signals.as_fd(), SIGNALS)?;
        }
        Ok(Events { set, ring, signals, own: None, deadline: None, more: false })
    }

    /// Waits for the end of a process too: `fd` is its pidfd.
    ///
    /// # Errors
    /// As the system calls of epoll.
    pub fn watch_process(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.set.add(fd, PROCESS)
    }

    /// Waits for signals too that do not end the run.
    ///
    /// # Errors
    /// As the system calls of epoll.
    pub fn watch_signals(&mut self, signals: Signals) -> io::Result<()> {
        self.set.add(signals.as_fd(), SELF)?;
        self.own = Some(signals);
        Ok(())
    }

    /// Sets when [`Wake::timed_out`] is to be reported.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Waits until something has happened, [`POLL`] at the longest.
    ///
    /// # Errors
    /// As the system calls.
    pub fn wait(&mut self) -> io::Result<Wake> {
        let left = self.deadline.map(|d| d.saturating_duration_since(Instant::now()));
        let timeout = if self.more { Duration::ZERO } else { left.map_or(POLL, |l| l.min(POLL)) };
        let mut wake = Wake::default();
        for token in self.set.wait(Some(timeout))? {
            match token {
                SIGNALS => {
                    if let Some(signals) = &mut self.signals {
                        wake.signal = signals.read()?;
                    }
                }
                SELF => {
                    while self.own.as_mut().map_or(Ok(None), Signals::read)?.is_some() {
                        wake.own_signals += 1;
                    }
                }
                PROCESS => wake.process_ended = true,
                _ => {}
            }
        }
        wake.timed_out = self.deadline.is_some_and(|d| d <= Instant::now());
        Ok(wake)
    }

    /// Whether a signal has come that no wait has reported yet.
    #[must_use]
    pub fn signal_is_waiting(&self) -> bool {
        let readable = |s: &Signals| {
            let set = Epoll::new()?;
            set.add(s.as_fd(), SIGNALS)?;
            set.wait(Some(Duration::ZERO))
        };
        self.signals.as_ref().is_some_and(|s| readable(s).is_ok_and(|tokens| !tokens.is_empty()))
    }

    /// The last signal that has come, reported or not.
    #[must_use]
    pub fn last_signal(&mut self) -> Option<i32> {
        let signals = self.signals.as_mut()?;
        while let Ok(Some(_)) = signals.read() {}
        signals.last()
    }

    /// Hands on the records that are there, oldest first, until `each` breaks off. A flood is handed on in parts; then
    /// the next wait does not wait.
    pub fn drain<B>(&mut self, mut each: impl FnMut(&[u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        for _ in 0..BURST {
            let Some(record) = self.ring.as_mut().and_then(RingBuf::next) else {
                self.more = false;
                return ControlFlow::Continue(());
            };
            if let ControlFlow::Break(result) = each(&record) {
                drop(record);
                self.more = true;
                return ControlFlow::Break(result);
            }
        }
        self.more = true;
        ControlFlow::Continue(())
    }

    /// Hands on all records that are left when the programs are detached.
    pub fn drain_all<B>(&mut self, mut each: impl FnMut(&[u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        loop {
            self.drain(&mut each)?;
            if !self.more {
                return ControlFlow::Continue(());
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sys::bpf::{self, AttachType, ProgType, Program};
    use aya::maps::Map;
    use std::os::fd::{AsRawFd, OwnedFd};

    /// A ring buffer and a program that puts the first word of its context into it each time it runs, without waking
    /// the reader. `None` where bpf(2) is not permitted.
    pub(crate) fn source(
        test: &str,
        kind: ProgType,
        attach: AttachType,
    ) -> Option<(RingBuf<MapData>, OwnedFd)> {
        let map = bpf::map_create(27, 0, 0, 1 << 20);
        let map = map.inspect_err(|e| eprintln!("{test}: skipped, no map can be made here: {e}")).ok()?;
        let [a, b, c, d] = map.as_raw_fd().to_ne_bytes();
        #[rustfmt::skip]
        let insns = [
            0x79, 0x16, 0, 0, 0, 0, 0, 0,             // r6 = *(u64 *)(r1 + 0)
            0x7b, 0x6a, 0xf8, 0xff, 0, 0, 0, 0,       // *(u64 *)(r10 - 8) = r6
            0x18, 0x11, 0, 0, a, b, c, d,             // r1 = map
            0, 0, 0, 0, 0, 0, 0, 0,
            0xbf, 0xa2, 0, 0, 0, 0, 0, 0,             // r2 = r10
            0x07, 0x02, 0, 0, 0xf8, 0xff, 0xff, 0xff, // r2 += -8
            0xb7, 0x03, 0, 0, 8, 0, 0, 0,             // r3 = 8
            0xb7, 0x04, 0, 0, 1, 0, 0, 0,             // r4 = BPF_RB_NO_WAKEUP
            0x85, 0, 0, 0, 130, 0, 0, 0,              // call bpf_ringbuf_output
            0xb7, 0, 0, 0, 0, 0, 0, 0,                // r0 = 0
            0x95, 0, 0, 0, 0, 0, 0, 0,                // exit
        ];
        let program = bpf::prog_load(&Program {
            name: "source",
            kind,
            attach,
            function: None,
            insns: &insns,
            debug: None,
        });
        let ring = RingBuf::try_from(Map::RingBuf(MapData::from_fd(map).unwrap())).unwrap();
        Some((ring, program.unwrap()))
    }

    fn numbers(test: &str) -> Option<(RingBuf<MapData>, OwnedFd)> {
        source(test, ProgType::RawTracepoint, AttachType::Unspecified)
    }

    fn number(record: &[u8]) -> u64 {
        u64::from_ne_bytes(record.try_into().unwrap())
    }

    #[test]
    fn records_arrive_in_order_without_a_wake_up() {
        let Some((ring, program)) = numbers("records_arrive_in_order_without_a_wake_up") else { return };
        let mut events = Events::new(Some(ring), None).unwrap();
        for n in 1..=3 {
            bpf::test_run(program.as_fd(), &[n]).unwrap();
        }
        assert_eq!(events.wait().unwrap(), Wake::default());
        let mut got = Vec::new();
        let _ = events.drain(|record| {
            got.push(number(record));
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(got, [1, 2, 3]);
    }

    #[test]
    fn breaking_off_leaves_the_rest() {
        let Some((ring, program)) = numbers("breaking_off_leaves_the_rest") else { return };
        let mut events = Events::new(Some(ring), None).unwrap();
        for n in 1..=3 {
            bpf::test_run(program.as_fd(), &[n]).unwrap();
        }
        let first = events.drain(|record| ControlFlow::Break(number(record)));
        assert_eq!(first, ControlFlow::Break(1));
        let mut rest = 0;
        let _ = events.drain_all(|record| {
            rest += number(record);
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(rest, 5);
    }

    #[test]
    fn a_flood_does_not_hide_the_deadline() {
        let Some((ring, program)) = numbers("a_flood_does_not_hide_the_deadline") else { return };
        let mut events = Events::new(Some(ring), None).unwrap();
        events.set_deadline(Instant::now() + Duration::from_millis(5));
        let mut records = 0;
        let timed_out = (0..1000).any(|_| {
            let wake = events.wait().unwrap();
            let _ = events.drain(|_| {
                // Each record makes another one, for ever.
                bpf::test_run(program.as_fd(), &[0]).unwrap();
                records += 1;
                ControlFlow::<()>::Continue(())
            });
            bpf::test_run(program.as_fd(), &[0]).unwrap();
            wake.timed_out && records > 0
        });
        assert!(timed_out, "{records}");
    }

    #[test]
    fn signals_and_ended_processes() {
        let Some((ring, _)) = numbers("signals_and_ended_processes") else { return };
        let signals = Signals::block(&[libc::SIGUSR2]).unwrap();
        let mut events = Events::new(Some(ring), Some(signals)).unwrap();
        let arguments = ["true"].map(Into::into);
        let mut child = crate::sys::process::Child::start(&arguments).unwrap();
        events.watch_process(child.as_fd()).unwrap();
        child.release().unwrap();
        crate::sys::signal::tests::raise(libc::SIGUSR2);
        let (mut signal, mut ended) = (None, false);
        let limit = Instant::now() + Duration::from_secs(10);
        while (signal.is_none() || !ended) && Instant::now() < limit {
            let wake = events.wait().unwrap();
            signal = signal.or(wake.signal);
            ended |= wake.process_ended;
        }
        assert_eq!((signal, ended), (Some(libc::SIGUSR2), true));
        assert_eq!(child.try_wait().unwrap().and_then(|s| s.code()), Some(0));
    }
}
