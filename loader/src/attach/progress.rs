//! A line on the terminal while attaching or detaching takes long, erased when it is done.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the number is written again.
const PERIOD: Duration = Duration::from_millis(200);
/// Back to the start of the line, and erase it (ECMA-48 EL).
pub const ERASE: &str = "\r\x1b[K";

/// Shows that something is under way until it is dropped.
#[derive(Debug)]
pub struct Progress {
    /// Its end is the message.
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    count: Arc<AtomicUsize>,
}

impl Progress {
    /// Says on `out`, a terminal, what happens to so many places (`Attaching`), once it has taken a second.
    pub fn start(what: &'static str, places: usize, out: impl Write + Send + 'static) -> Progress {
        Progress::after(PATIENCE, what, places, out)
    }

    fn after(
        patience: Duration,
        what: &'static str,
        places: usize,
        mut out: impl Write + Send + 'static,
    ) -> Progress {
        let (done, under_way) = mpsc::channel::<()>();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let mut tell = move |text: &str| {
            // Nothing can be done where the terminal takes no text.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        };
        let show = move || {
            let mut shown = None;
            let mut wait = patience;
            while under_way.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let count = counted.load(Ordering::Relaxed);
                // What is done with all places at once has no number.
                match count {
                    _ if shown == Some(count) => {}
                    0 => tell(&format!("{what} {places} places ...")),
                    _ => tell(&format!("{ERASE}{what} {count} of {places} places ...")),
                }
                shown = Some(count);
                wait = PERIOD;
            }
            if shown.is_some() {
                tell(ERASE);
            }
        };
        // Without a thread nothing is shown.
        let thread = std::thread::Builder::new().name("progress".into()).spawn(show).ok();
        Progress { done: Some(done), thread, count }
    }

    /// So many places are done.
    pub fn set(&self, count: usize) {
        self.count.store(count, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.take();
        if let Some(thread) = self.thread.take() {
            // It does not panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn what_is_quick_says_nothing() {
        let screen = Screen::default();
        drop(Progress::start("Attaching", 5, screen.clone()));
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn what_takes_long_is_told_and_erased() {
        let screen = Screen::default();
        let progress = Progress::after(Duration::ZERO, "Attaching", 6712, screen.clone());
        while screen.text().is_empty() {
            std::thread::yield_now();
        }
        drop(progress);
        assert_eq!(screen.text(), "Attaching 6712 places ...\r\x1b[K");
    }

    #[test]
    fn the_number_is_shown_where_there_is_one() {
        let screen = Screen::default();
        let progress = Progress::after(Duration::ZERO, "Detaching", 900, screen.clone());
        while screen.text().is_empty() {
            std::thread::yield_now();
        }
        progress.set(120);
        while !screen.text().contains("Detaching 120 of 900 places ...") {
            std::thread::yield_now();
        }
        drop(progress);
        assert!(screen.text().ends_with(ERASE));
    }
}
