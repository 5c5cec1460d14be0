//! Nobody waits for a log.

use std::sync::mpsc::{Sender, channel};

use super::*;

struct Lines(Sender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A terminal that was stopped.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_level_decides_what_is_written() {
    let (written, lines) = channel();
    let log = Log::start(Lines(written)).unwrap();
    log.debug("first", &[]);
    log.set_level(Level::Debug);
    log.debug("second", &[]);
    log.flush();
    let lines: Vec<String> = lines.try_iter().collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("second"));
}

#[test]
fn lines_that_nobody_takes_are_dropped_and_counted() {
    let (release, stuck) = channel();
    let log = Log::start(Stuck(stuck)).unwrap();
    (0..WAITING + 10).for_each(|_| log.info("line", &[]));
    assert!(log.dropped() >= 9);
    drop(release);
}
