//! What the worker tells unasked, and remembers of what it refused: events, spans, recent refusals, the access log. All
//! bounded; what finds no room is counted and forgotten, and nothing waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::{self as threads, SyncSender};
use std::thread;

use http1::Cause;
use tokio::sync::mpsc;

use crate::report::{Decision, Event, Span};
use crate::settings::{LogSink, StartError};
use crate::tally::increment;

/// Refusals that are remembered.
const REMEMBERED: usize = 256;

/// Events, spans, refusals and log of one worker.
#[derive(Debug)]
pub(crate) struct Journal {
    events: mpsc::Sender<Event>,
    lost_events: Cell<u64>,
    spans: mpsc::Sender<Span>,
    lost_spans: Cell<u64>,
    decisions: RefCell<VecDeque<Decision>>,
    log: Option<SyncSender<String>>,
    lost_lines: Cell<u64>,
    /// Heads and bodies refused, by cause.
    malformed: Vec<Cell<u64>>,
}

impl Journal {
    /// A journal whose log lines go to `sink`, through a thread that may block.
    pub(crate) fn new(
        (events, spans): (mpsc::Sender<Event>, mpsc::Sender<Span>),
        sink: LogSink,
        max_lines: usize,
    ) -> Result<Self, StartError> {
        let log = match sink.0 {
            Some(writer) => Some(start_writer(writer, max_lines)?),
            None => None,
        };
        Ok(Self {
            events,
            lost_events: Cell::new(0),
            spans,
            lost_spans: Cell::new(0),
            decisions: RefCell::new(VecDeque::with_capacity(REMEMBERED)),
            log,
            lost_lines: Cell::new(0),
            malformed: vec![Cell::new(0); Cause::ALL.len()],
        })
    }

    /// Tells an event.
    pub(crate) fn tell(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            increment(&self.lost_events);
        }
    }

    /// Tells a span.
    pub(crate) fn trace(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            increment(&self.lost_spans);
        }
    }

    /// Remembers a refusal in the place of the oldest one.
    pub(crate) fn remember(&self, decision: Decision) {
        let mut decisions = self.decisions.borrow_mut();
        if decisions.len() == REMEMBERED {
            decisions.pop_back();
        }
        decisions.push_front(decision);
    }

    /// The newest `count` refusals, newest first.
    pub(crate) fn decisions(&self, count: usize) -> Vec<Decision> {
        self.decisions
            .borrow()
            .iter()
            .take(count)
            .cloned()
            .collect()
    }

    pub(crate) const fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Hands a line to the log.
    pub(crate) fn write(&self, line: String) {
        if self
            .log
            .as_ref()
            .is_some_and(|log| log.try_send(line).is_err())
        {
            increment(&self.lost_lines);
        }
    }

    /// Counts a message that was refused for its form.
    pub(crate) fn count_malformed(&self, cause: Cause) {
        increment(&self.malformed[cause as usize]);
    }

    /// How many messages were refused for each cause.
    pub(crate) fn malformed(&self) -> impl Iterator<Item = (Cause, u64)> {
        Cause::ALL
            .iter()
            .zip(&self.malformed)
            .map(|(cause, count)| (*cause, count.get()))
    }

    /// Events, spans and log lines that found no room.
    pub(crate) const fn lost(&self) -> (u64, u64, u64) {
        (
            self.lost_events.get(),
            self.lost_spans.get(),
            self.lost_lines.get(),
        )
    }
}

fn start_writer(
    mut writer: Box<dyn Write + Send>,
    max_lines: usize,
) -> Result<SyncSender<String>, StartError> {
    let (lines, received) = threads::sync_channel::<String>(max_lines);
    thread::Builder::new()
        .name("breakwater-log".into())
        .spawn(move || {
            while let Ok(line) = received.recv() {
                // A sink that takes nothing loses lines; traffic goes on.
                let _ = writer
                    .write_all(line.as_bytes())
                    .and_then(|()| writer.flush());
            }
        })?;
    Ok(lines)
}
