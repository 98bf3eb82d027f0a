//! A line on the terminal while attaching takes long, erased when it is done.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_secs(1);
/// Back to the start of the line, and erase it (ECMA-48 EL).
const ERASE: &str = "\r\x1b[K";

/// Shows that something is under way until it is dropped.
#[derive(Debug)]
pub struct Progress {
    /// Its end is the message.
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Says on `out`, a terminal, that so many places are being attached, once it has taken a second.
    pub fn start(places: usize, out: impl Write + Send + 'static) -> Progress {
        Progress::after(PATIENCE, places, out)
    }

    fn after(patience: Duration, places: usize, mut out: impl Write + Send + 'static) -> Progress {
        let (done, under_way) = mpsc::channel::<()>();
        let tell = move || {
            if under_way.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                // Nothing can be done where the terminal takes no text.
                let _ = write!(out, "Attaching {places} places ...").and_then(|()| out.flush());
                let _ = under_way.recv();
                let _ = write!(out, "{ERASE}").and_then(|()| out.flush());
            }
        };
        // Without a thread nothing is shown.
        let thread = std::thread::Builder::new().name("progress".into()).spawn(tell).ok();
        Progress { done: Some(done), thread }
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
        drop(Progress::start(5, screen.clone()));
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn what_takes_long_is_told_and_erased() {
        let screen = Screen::default();
        let progress = Progress::after(Duration::ZERO, 6712, screen.clone());
        while screen.text().is_empty() {
            std::thread::yield_now();
        }
        drop(progress);
        assert_eq!(screen.text(), "Attaching 6712 places ...\r\x1b[K");
    }
}
