//! The states of a breaker, the ways between them, and the record of a way taken.

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets calls through and counts them.
    Closed,
    /// Refuses calls.
    Open,
    /// Lets probes through.
    HalfOpen,
    /// A person had it refuse calls.
    ForcedOpen,
    /// A person had it let calls through; they are counted, but nothing trips it.
    ForcedClosed,
    /// A person switched it off: it lets calls through and counts nothing.
    Disabled,
}

/// What moved a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// So many failures in a row.
    ConsecutiveFailures,
    /// Too large a share of failures.
    ErrorRate,
    /// Too large a share of slow calls.
    SlowRate,
    /// The open time is over and a call came.
    OpenTimeOver,
    /// A probe failed.
    ProbeFailed,
    /// A probe was slow.
    ProbeSlow,
    /// A probe had no response headers in time.
    ProbeSilent,
    /// The probes did well.
    ProbesPassed,
    /// A person decided.
    Forced,
    /// The time of a person's decision is over, or it was taken back.
    ForceOver,
}

use Cause::*;
use State::*;

/// Every way there is between the states that a breaker takes by itself, and what makes it take it.
///
/// Beside these, `Forced` leads from any state to `ForcedOpen`, `ForcedClosed` or `Disabled`, `ForceOver`
/// leads from those to `Closed`, and `Forced` from `Open` and `HalfOpen`.
pub const TRANSITIONS: &[(State, State, &[Cause])] = &[
    (Closed, Open, &[ConsecutiveFailures, ErrorRate, SlowRate]),
    (Open, HalfOpen, &[OpenTimeOver]),
    (
        HalfOpen,
        Open,
        &[ProbeFailed, ProbeSlow, ProbeSilent, ErrorRate, SlowRate],
    ),
    (HalfOpen, Closed, &[ProbesPassed]),
];

/// What had been counted at a moment: in the window, or while half open of its probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls recorded.
    pub calls: u32,
    /// Of these, failures.
    pub failures: u32,
    /// Of these, slow calls.
    pub slow: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

/// A way taken from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// What had been counted in the state left.
    pub counts: Counts,
    /// When.
    pub at_ns: u64,
}

impl State {
    /// The word in events, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Closed => "closed",
            Open => "open",
            HalfOpen => "half_open",
            ForcedOpen => "forced_open",
            ForcedClosed => "forced_closed",
            Disabled => "disabled",
        }
    }
}

impl Cause {
    /// The word in events, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ConsecutiveFailures => "consecutive_failures",
            ErrorRate => "error_rate",
            SlowRate => "slow_rate",
            OpenTimeOver => "open_time_over",
            ProbeFailed => "probe_failed",
            ProbeSlow => "probe_slow",
            ProbeSilent => "probe_silent",
            ProbesPassed => "probes_passed",
            Forced => "forced",
            ForceOver => "force_over",
        }
    }
}
