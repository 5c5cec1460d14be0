//! A disk that takes nothing, and one that does.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::status::{self, Source};

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

fn state(revision: i64) -> State {
    State {
        source: Some(Source::Stream),
        revision,
        ..status::begin().borrow().clone()
    }
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_complained_about_once_a_minute_and_tried_again() {
    let (written, lines) = channel();
    let log = Log::start(Lines(written)).unwrap();
    let disk = Disk::new("/proc/breakwater");
    let mut saver = Saver::new(disk, "cart-1".to_owned(), 0, log.clone());
    for revision in 1..=3 {
        assert_eq!(saver.keep(state(revision)).await, AGAIN);
    }
    log.flush();
    assert_eq!(lines.try_iter().count(), 1);
    assert!(saver.saved.is_none());
    saver.complained_at = Instant::now().checked_sub(COMPLAINTS);
    saver.keep(state(4)).await;
    log.flush();
    assert_eq!(lines.try_iter().count(), 1);
}

#[tokio::test]
async fn each_save_comes_after_all_that_are_known_of() {
    let directory = std::env::temp_dir().join(format!("breakwater-saver-{}", std::process::id()));
    let log = Log::start(std::io::sink()).unwrap();
    let disk = Disk::new(&directory);
    let mut saver = Saver::new(disk.clone(), "cart-1".to_owned(), 41, log);
    assert_eq!(saver.keep(state(1)).await, SPACING);
    let found = disk.load("cart-1");
    assert_eq!((found.sequence, found.refused.len()), (42, 0));
    assert!(!is_news(saver.saved.as_ref(), &state(1)));
    assert!(is_news(saver.saved.as_ref(), &state(2)));
    std::fs::remove_dir_all(directory).unwrap();
}
