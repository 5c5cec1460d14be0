//! What happened on the streams of discovery, until the control plane takes it: all at once, after one bell.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::room::Room;

/// Names a stream for as long as the front runs.
pub type StreamId = u64;

/// Something happened on a stream.
#[derive(Debug)]
pub struct Event {
    /// Where.
    pub stream: StreamId,
    /// What.
    pub what: What,
}

/// What happens on a stream, in this order: it is the first, any number of the second, the last.
#[derive(Debug)]
pub enum What {
    /// It was opened, with this in its `authorization`.
    Opened(Bytes),
    /// A whole message came.
    Received(Bytes),
    /// Nothing more will come, and nothing can be sent.
    Closed,
}

/// Events on their way from the front's thread to the control plane's.
#[derive(Debug)]
pub(crate) struct Inbox {
    events: Mutex<Vec<Event>>,
    bell: UnixStream,
    ear: UnixStream,
    room: Room,
    beats: AtomicU64,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self {
            events: Mutex::default(),
            bell,
            ear,
            room: Room::default(),
            beats: AtomicU64::default(),
        })
    }

    /// What becomes readable when there is something to take.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.ear.as_raw_fd()
    }

    pub(crate) fn put(&self, stream: StreamId, what: What) {
        let mut events = self.events();
        if events.is_empty() {
            // A bell that is full already has been heard.
            let _ = (&self.bell).write(&[1]);
        }
        events.push(Event { stream, what });
    }

    /// All that happened since, and whether somebody waited for room.
    pub(crate) fn take(&self) -> (Vec<Event>, bool) {
        let mut heard = [0; 64];
        while matches!((&self.ear).read(&mut heard), Ok(count) if count == heard.len()) {}
        let events = std::mem::take(&mut *self.events());
        (events, self.room.make())
    }

    /// Whoever takes goes on.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was said.
    pub(crate) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// How often all was taken.
    pub(crate) fn emptied(&self) -> u64 {
        self.room.made()
    }

    /// Has the next who takes all told that somebody waits; false when that happened since `emptied`.
    pub(crate) fn wait(&self, emptied: u64) -> bool {
        self.room.wait(emptied)
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
