//! Attaching place by place, on kernels without links of many: each place is an event of its own, and taking it away costs the kernel a
//! grace period under a lock, so that threads do not help. How long it will take is measured on the first places and told before
//! the rest is attached; the user may stop it.

use super::{Attached, Failure};
use crate::sys::process;
use std::fmt;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// What is asked and told while places are attached.
pub trait Watch {
    /// Whether to leave it at what is attached, as after a Ctrl-C.
    fn stop(&mut self) -> bool;
    /// So many places are attached.
    fn attached(&mut self, places: usize);
    /// It will take long. Gives whether the user is told.
    fn slow(&mut self, estimate: &Estimate) -> bool;
}

/// How long it will take to attach all places and to detach them, by the first of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// All places.
    pub places: usize,
    /// Those that it was measured on.
    pub measured: usize,
    /// Time to attach all.
    pub attach: Duration,
    /// Time to detach all.
    pub detach: Duration,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { places, measured, attach, detach } = self;
        write!(
            f,
            "{places} places are attached one by one: this takes about {}, and detaching them {} (measured on the first {measured})",
            Shown(*attach),
            Shown(*detach)
        )?;
        match self.is_very_long() {
            true => write!(f, "; Ctrl-C in the next {} s leaves it at these", WAIT.as_secs()),
            false => write!(f, "; Ctrl-C ends it"),
        }
    }
}

impl Estimate {
    /// Whether the user gets time to think about it.
    fn is_very_long(&self) -> bool {
        self.detach >= VERY_LONG
    }
}

/// A time as people say it.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds < 9.95 => write!(f, "{seconds:.1} s"),
            seconds if seconds < 120.0 => write!(f, "{seconds:.0} s"),
            seconds => write!(f, "{:.0} min", seconds / 60.0),
        }
    }
}

/// Most places that the time is measured on.
const MEASURED: usize = 100;
/// What takes less time, together with detaching, is not worth a word.
const LONG: Duration = Duration::from_secs(2);
/// Detaching that takes so long should not be begun by mistake: not even `kill -9` ends it sooner.
const VERY_LONG: Duration = Duration::from_secs(60);
/// How long the user may think about it.
const WAIT: Duration = Duration::from_secs(5);
/// How often a place is detached again to see how long that takes: grace periods differ much.
const SAMPLES: u32 = 3;
/// How often is looked for a signal meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// Descriptors of a place: its event and its link.
const DESCRIPTORS: u64 = 2;
/// Descriptors for all else: maps, programs, standard streams.
const OTHERS: u64 = 128;

/// The places of a run that are attached one by one.
pub(super) struct Pace<'a> {
    pub(super) watch: &'a mut dyn Watch,
    places: usize,
    done: usize,
    /// Time that attaching took so far.
    spent: Duration,
    told: bool,
}

impl<'a> Pace<'a> {
    /// For so many places in all.
    pub(super) fn new(places: usize, watch: &'a mut dyn Watch) -> Pace<'a> {
        Pace { watch, places, done: 0, spent: Duration::ZERO, told: false }
    }

    /// Attaches each of these places with `attach`, which gives the link and the event, or nothing for a place that it leaves out.
    pub(super) fn one_by_one<P>(
        &mut self,
        places: &[P],
        attached: &mut Attached,
        mut attach: impl FnMut(&P, &mut Attached) -> Result<Option<[OwnedFd; 2]>, Failure>,
    ) -> Result<(), Failure> {
        self.require_descriptors()?;
        for place in places {
            if self.watch.stop() {
                break;
            }
            let start = Instant::now();
            let Some(mut pair) = attach(place, attached)? else { continue };
            self.spent += start.elapsed();
            self.done += 1;
            if self.is_due() {
                let mut detach = Duration::ZERO;
                for _ in 0..SAMPLES {
                    let start = Instant::now();
                    drop(pair);
                    detach += start.elapsed();
                    let Some(again) = attach(place, attached)? else { return Ok(()) };
                    pair = again;
                }
                self.tell(detach / SAMPLES);
            }
            attached.links.extend(pair);
            attached.sites += 1;
            self.watch.attached(self.done);
        }
        Ok(())
    }

    /// Whether enough places are attached to tell how long the rest takes.
    fn is_due(&self) -> bool {
        !self.told && self.places > 1 && self.done >= MEASURED.min(self.places.div_ceil(5))
    }

    fn tell(&mut self, detach_one: Duration) {
        self.told = true;
        let all = |one: Duration| one.saturating_mul(u32::try_from(self.places).unwrap_or(u32::MAX));
        let (places, measured) = (self.places, self.done);
        let estimate = Estimate {
            places,
            measured,
            attach: all(self.spent) / u32::try_from(measured).unwrap_or(u32::MAX).max(1),
            detach: all(detach_one),
        };
        if estimate.attach.saturating_add(estimate.detach) >= LONG {
            let told = self.watch.slow(&estimate);
            let end = Instant::now() + WAIT;
            while told && estimate.is_very_long() && Instant::now() < end && !self.watch.stop() {
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Says so before anything is attached if the limit of open files does not allow it all.
    fn require_descriptors(&self) -> Result<(), Failure> {
        let needed = self.places as u64 * DESCRIPTORS + OTHERS;
        // What cannot be asked is found out on the way.
        match process::raise_file_limit() {
            Ok(limit) if limit < needed => Err(Failure {
                what: format!(
                    "{} places, attached one by one, need {needed} open files, and the limit is {limit}",
                    self.places
                ),
                help: Some(
                    "raise it (`ulimit -n`, LimitNOFILE of systemd), or attach to fewer functions".into(),
                ),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Noted {
        estimate: Option<Estimate>,
        stop_after: Option<usize>,
        attached: usize,
    }

    impl Watch for Noted {
        fn stop(&mut self) -> bool {
            self.stop_after.is_some_and(|most| self.attached >= most)
        }

        fn attached(&mut self, places: usize) {
            self.attached = places;
        }

        fn slow(&mut self, estimate: &Estimate) -> bool {
            self.estimate = Some(*estimate);
            true
        }
    }

    fn pair() -> [OwnedFd; 2] {
        let (reader, writer) = std::io::pipe().unwrap();
        [reader.into(), writer.into()]
    }

    #[test]
    fn the_first_places_tell_how_long_all_take() {
        let mut noted = Noted::default();
        let mut pace = Pace::new(20, &mut noted);
        let mut attached = Attached::default();
        let slow = |_: &usize, _: &mut Attached| {
            std::thread::sleep(Duration::from_millis(120));
            Ok(Some(pair()))
        };
        assert!(pace.one_by_one(&[0, 1, 2, 3, 4], &mut attached, slow).is_ok());
        assert_eq!(attached.sites(), 5);
        let estimate = noted.estimate.unwrap();
        assert_eq!((estimate.places, estimate.measured), (20, 4));
        assert!(estimate.attach >= Duration::from_millis(2400), "{estimate}");
    }

    #[test]
    fn what_is_quick_is_not_told_and_can_be_stopped() {
        let mut noted = Noted { stop_after: Some(7), ..Noted::default() };
        let mut pace = Pace::new(10, &mut noted);
        let mut attached = Attached::default();
        let places: Vec<usize> = (0..10).collect();
        assert!(pace.one_by_one(&places, &mut attached, |_, _| Ok(Some(pair()))).is_ok());
        assert_eq!(attached.sites(), 7);
        assert_eq!(noted.estimate, None);
    }

    #[test]
    fn more_places_than_descriptors_are_refused_before_anything_is_attached() {
        let mut noted = Noted::default();
        let mut pace = Pace::new(usize::MAX / 4, &mut noted);
        let mut attached = Attached::default();
        let failure = pace.one_by_one(&[0], &mut attached, |_, _| Ok(Some(pair()))).unwrap_err();
        assert!(failure.what.contains("open files, and the limit is"), "{}", failure.what);
        assert_eq!(attached.sites(), 0);
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        let times = [0.52, 9.0, 61.2, 500.0].map(|s| Shown(Duration::from_secs_f64(s)).to_string());
        assert_eq!(times, ["0.5 s", "9.0 s", "61 s", "8 min"]);
    }
}
