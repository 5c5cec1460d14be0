//! The program's log: JSON lines, written by a thread of its own so that nobody waits for the terminal.

mod line;

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

/// Lines that wait to be written; beyond them lines are dropped and counted.
const WAITING: usize = 256;
/// How long the end of the program waits for the last lines.
const LAST: Duration = Duration::from_secs(1);

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What did not work.
    Error,
    /// And what may not work for long.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
}

impl Level {
    const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// The level with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Where lines are handed over.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: Arc<AtomicU8>,
    dropped: Arc<AtomicU64>,
    lines: SyncSender<Message>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts the thread that writes to `writer`.
    pub(crate) fn start(writer: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(waiting, writer))?;
        let level = Arc::new(AtomicU8::new(Level::default() as u8));
        Ok(Self {
            level,
            dropped: Arc::default(),
            lines,
        })
    }

    pub(crate) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Lines that were dropped because nobody took them away.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn error(&self, event: &str, fields: &[(&str, &dyn Display)]) {
        self.put(Level::Error, event, fields);
    }

    pub(crate) fn warn(&self, event: &str, fields: &[(&str, &dyn Display)]) {
        self.put(Level::Warn, event, fields);
    }

    pub(crate) fn info(&self, event: &str, fields: &[(&str, &dyn Display)]) {
        self.put(Level::Info, event, fields);
    }

    pub(crate) fn debug(&self, event: &str, fields: &[(&str, &dyn Display)]) {
        self.put(Level::Debug, event, fields);
    }

    fn put(&self, level: Level, event: &str, fields: &[(&str, &dyn Display)]) {
        if level as u8 > self.level.load(Ordering::Relaxed) {
            return;
        }
        let line = line::encode(SystemTime::now(), level.as_str(), event, fields);
        if self.lines.try_send(Message::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment for everything logged so far to be written.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(LAST);
        }
    }
}

fn write(waiting: Receiver<Message>, mut writer: impl Write) {
    for message in waiting {
        match message {
            Message::Line(line) => drop(writer.write_all(&line)), // nobody is left to tell
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests;
