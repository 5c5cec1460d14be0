//! What all sidecars have seen since counting began.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock::now_ns;
use crate::socket::Received;

/// How far a sidecar got since counting began.
#[derive(Clone, Copy)]
pub enum Standing {
    /// The control plane answered its hello.
    Connected,
    /// It holds everything that it asked for.
    Complete,
    /// It applied a response.
    Applied,
}

impl Standing {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "connected" => Some(Self::Connected),
            "complete" => Some(Self::Complete),
            "applied" => Some(Self::Applied),
            _ => None,
        }
    }
}

/// Marks which standings a sidecar has been counted for; those of an earlier count are void.
#[derive(Default)]
pub struct Counted {
    count: Cell<u64>,
    standings: Cell<u8>,
}

#[derive(Default)]
pub struct Tally {
    count: Cell<u64>,
    reached: [Cell<u64>; 3],
    reached_ns: [Cell<u64>; 3],
    responses: Cell<u64>,
    resources: Cell<u64>,
    reports: Cell<u64>,
    lost: Cell<u64>,
    why_lost: RefCell<String>,
    first_ns: Cell<u64>,
    last_ns: Cell<u64>,
    applied_ns: Cell<u64>,
    lags_ns: RefCell<Vec<u64>>,
    received: RefCell<Vec<(Received, u64)>>,
    changed: Notify,
}

impl Tally {
    pub fn enter(&self, received: Received) {
        self.received.borrow_mut().push((received, 0));
    }

    pub fn begin(&self) {
        self.count.set(self.count.get() + 1);
        let figures = [
            &self.responses,
            &self.resources,
            &self.reports,
            &self.lost,
            &self.first_ns,
            &self.last_ns,
            &self.applied_ns,
        ];
        for figure in figures
            .into_iter()
            .chain(&self.reached)
            .chain(&self.reached_ns)
        {
            figure.set(0);
        }
        self.lags_ns.borrow_mut().clear();
        self.why_lost.borrow_mut().clear();
        for (received, before) in self.received.borrow_mut().iter_mut() {
            *before = received.get();
        }
    }

    /// A response is whole.
    pub fn response(&self, resources: usize) {
        let now_ns = now_ns();
        if self.responses.get() == 0 {
            self.first_ns.set(now_ns);
        }
        self.last_ns.set(now_ns);
        add(&self.responses, 1);
        add(&self.resources, resources as u64);
    }

    /// An endpoint that was written so long ago is applied.
    pub fn lag(&self, lag_ns: u64) {
        self.lags_ns.borrow_mut().push(lag_ns);
    }

    pub fn report(&self) {
        add(&self.reports, 1);
    }

    /// A sidecar has come so far, if it is the first time since counting began.
    pub fn reach(&self, standing: Standing, counted: &Counted) {
        let bit = 1 << standing as u8;
        if counted.count.replace(self.count.get()) != self.count.get() {
            counted.standings.set(0);
        }
        if matches!(standing, Standing::Applied) {
            self.applied_ns.set(now_ns());
        }
        if counted.standings.get() & bit == 0 {
            counted.standings.set(counted.standings.get() | bit);
            add(&self.reached[standing as usize], 1);
            self.reached_ns[standing as usize].set(now_ns());
            self.changed.notify_waiters();
        }
    }

    pub fn lost(&self, ended: &io::Error) {
        add(&self.lost, 1);
        let mut why = self.why_lost.borrow_mut();
        if why.is_empty() {
            *why = ended.to_string().replace(['"', '\\'], "'");
        }
    }

    /// Returns once `count` sidecars have come so far, or `patience` is at its end.
    pub async fn reached(&self, standing: Standing, count: u64, patience: Duration) {
        let reached = async {
            while self.reached[standing as usize].get() < count {
                self.changed.notified().await;
            }
        };
        let _ = timeout(patience, reached).await; // whoever asked sees how far they came
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{{\"now_ns\":{}", now_ns())?;
        for (index, name) in ["connected", "complete", "applied"].iter().enumerate() {
            let (count, at_ns) = (self.reached[index].get(), self.reached_ns[index].get());
            write!(out, ",\"{name}\":{count},\"{name}_ns\":{at_ns}")?;
        }
        let figures = [
            ("responses", &self.responses),
            ("resources", &self.resources),
            ("reports", &self.reports),
            ("lost", &self.lost),
            ("first_ns", &self.first_ns),
            ("last_ns", &self.last_ns),
            ("last_applied_ns", &self.applied_ns),
        ];
        for (name, figure) in figures {
            write!(out, ",\"{name}\":{}", figure.get())?;
        }
        let received = self.received.borrow();
        let bytes = received.iter().map(|(now, before)| now.get() - before);
        write!(out, ",\"bytes\":{}", bytes.clone().sum::<u64>())?;
        write!(out, ",\"most_bytes\":{}", bytes.max().unwrap_or(0))?;
        let mut lags = self.lags_ns.borrow().clone();
        lags.sort_unstable();
        write!(out, ",\"lags\":{}", lags.len())?;
        for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
            let at = (lags.len() * percent).div_ceil(100).saturating_sub(1);
            write!(out, ",\"lag_{name}_ns\":{}", lags.get(at).unwrap_or(&0))?;
        }
        write!(out, ",\"why_lost\":\"{}\"}}", self.why_lost.borrow())
    }
}

fn add(figure: &Cell<u64>, more: u64) {
    figure.set(figure.get() + more);
}
