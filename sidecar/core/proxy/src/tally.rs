//! What is counted about services in each direction, by the rules that requests fall under; plain cells, read between
//! requests.

use std::cell::{Cell, RefCell};
use std::iter;
use std::rc::Rc;

use policy::Reason;
use policy::ending::Ending;
use policy::grpc::Code;
use policy::histogram::Histogram;
use policy::method::Method;
use smallvec::SmallVec;

/// Rules that are told apart, of all that ever led to one service.
const MOST_RULES: usize = 250;

/// What is counted about one service in one direction.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Of requests that no rule decided about, or one too many.
    whole: Rc<Tally>,
    by_rule: Vec<(Rc<str>, Rc<Tally>)>,
}

/// Counters and gauges of the requests of one rule; they outlive the cluster, since counters only grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often each way of ending was seen, the commonest first: few are, so a search is a glance.
    requests: RefCell<SmallVec<[(Ended, u64); 4]>>,
    pub(crate) durations: RefCell<Histogram>,
    attempts: [Cell<u64>; AttemptResult::COUNT],
    hedges: [Cell<u64>; HedgeResult::ALL.len()],
    /// Probes that failed, and that passed.
    probes: [Cell<u64>; 2],
    pub(crate) in_flight: Cell<u32>,
    /// Failures that something else answered: always the same, or another service.
    pub(crate) answered_instead: Cell<u64>,
    pub(crate) asked_instead: Cell<u64>,
    /// When a request last came; zero for never.
    pub(crate) called_ns: Cell<u64>,
}

/// How a request ended, as far as metrics tell; every part from a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) method: Method,
    /// The first digit of the status; zero when there was none.
    pub(crate) class: u8,
    pub(crate) code: Option<Code>,
    pub(crate) reason: Option<Reason>,
}

/// How an attempt ended, as far as metrics tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AttemptResult {
    Success,
    Failure,
    Connect,
    Reset,
    Refused,
    Timeout,
    Truncated,
    Cancelled,
}

impl AttemptResult {
    pub(crate) const ALL: [Self; 8] = [
        Self::Success,
        Self::Failure,
        Self::Connect,
        Self::Reset,
        Self::Refused,
        Self::Timeout,
        Self::Truncated,
        Self::Cancelled,
    ];
    const COUNT: usize = Self::ALL.len();

    /// The result of an attempt that ended so; `failed` if that counts as a failure of the upstream.
    pub(crate) const fn of(ending: &Ending, failed: bool) -> Self {
        match ending {
            Ending::Response { .. } if failed => Self::Failure,
            Ending::Response { .. } => Self::Success,
            Ending::ConnectFailure | Ending::ConnectTimeout => Self::Connect,
            Ending::RefusedStream | Ending::GoAway | Ending::PeerRefusal { .. } => Self::Refused,
            Ending::Reset => Self::Reset,
            Ending::PerTryTimeout | Ending::RequestTimeout | Ending::CallerDeadline => {
                Self::Timeout
            }
            Ending::Truncated => Self::Truncated,
            Ending::LocalRefusal | Ending::ClientLeft => Self::Cancelled,
        }
    }

    /// Whether its length says how long the upstream takes.
    pub(crate) const fn tells_latency(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Timeout)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What became of a second attempt beside a slow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum HedgeResult {
    /// It was the one that was waited for to the end.
    Won,
    /// The first attempt was.
    Lost,
    /// It was due, and not made.
    Refused,
}

impl HedgeResult {
    pub(crate) const ALL: [Self; 3] = [Self::Won, Self::Lost, Self::Refused];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}

impl Tallies {
    /// What is counted of requests that no rule decided about.
    pub(crate) const fn whole(&self) -> &Rc<Tally> {
        &self.whole
    }

    /// What is counted of requests of a rule; where there are too many rules, with those of none.
    pub(crate) fn of(&mut self, rule: &Rc<str>) -> Rc<Tally> {
        let mut known = self.by_rule.iter();
        if let Some((_, tally)) = known.find(|(name, _)| name == rule) {
            return Rc::clone(tally);
        }
        if self.by_rule.len() >= MOST_RULES {
            return Rc::clone(&self.whole);
        }
        let tally = Rc::new(Tally::default());
        self.by_rule.push((Rc::clone(rule), Rc::clone(&tally)));
        tally
    }

    /// What is counted of requests of no rule, whose name is empty, and of each that some request fell under.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tally)> {
        let whole = iter::once(("", &*self.whole));
        let by_rule = self.by_rule.iter().map(|(name, tally)| (&**name, &**tally));
        whole.chain(by_rule.filter(|(_, tally)| tally.called_ns.get() > 0))
    }

    /// Whether nobody but these holds any of them: no service in force, and no request.
    pub(crate) fn are_at_rest(&self) -> bool {
        let mut all = iter::once(&self.whole).chain(self.by_rule.iter().map(|(_, tally)| tally));
        all.all(|tally| Rc::strong_count(tally) == 1)
    }

    /// When a request last came; zero for never.
    pub(crate) fn called_ns(&self) -> u64 {
        let each = self.iter().map(|(_, tally)| tally.called_ns.get());
        each.max().unwrap_or(0)
    }

    /// A count over all rules.
    pub(crate) fn sum(&self, count: impl Fn(&Tally) -> u64) -> u64 {
        self.iter().map(|(_, tally)| count(tally)).sum()
    }
}

impl Tally {
    /// Counts a request that ended so after so long.
    pub(crate) fn count(&self, ended: Ended, duration_ns: u64) {
        self.durations.borrow_mut().record(duration_ns);
        let mut requests = self.requests.borrow_mut();
        let Some(place) = requests.iter().position(|(known, _)| *known == ended) else {
            return requests.push((ended, 1));
        };
        requests[place].1 += 1;
        if place > 0 && requests[place - 1].1 < requests[place].1 {
            requests.swap(place - 1, place);
        }
    }

    pub(crate) fn count_attempt(&self, result: AttemptResult) {
        increment(&self.attempts[result as usize]);
    }

    pub(crate) fn attempts(&self, result: AttemptResult) -> u64 {
        self.attempts[result as usize].get()
    }

    pub(crate) fn count_hedge(&self, result: HedgeResult) {
        increment(&self.hedges[result as usize]);
    }

    pub(crate) fn count_probe(&self, has_passed: bool) {
        increment(&self.probes[usize::from(has_passed)]);
    }

    pub(crate) fn probes(&self, has_passed: bool) -> u64 {
        self.probes[usize::from(has_passed)].get()
    }

    pub(crate) fn hedges(&self, result: HedgeResult) -> u64 {
        self.hedges[result as usize].get()
    }

    /// Hands every way of ending and its count to `each`.
    pub(crate) fn visit_requests(&self, mut each: impl FnMut(&Ended, u64)) {
        self.requests
            .borrow()
            .iter()
            .for_each(|(ended, count)| each(ended, *count));
    }
}

/// One request in flight; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Flight(Rc<Tally>);

impl Flight {
    pub(crate) fn begin(tally: &Rc<Tally>, now_ns: u64) -> Self {
        tally.in_flight.set(tally.in_flight.get() + 1);
        tally.called_ns.set(now_ns);
        Self(Rc::clone(tally))
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0
            .in_flight
            .set(self.0.in_flight.get().saturating_sub(1));
    }
}

/// Adds one.
pub(crate) fn increment(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
