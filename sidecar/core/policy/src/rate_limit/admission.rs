//! All limits or none: every one is asked before any is charged.

use super::Limiter;
use super::ask::{Arrival, Ask};
use super::cell::Shortage;

/// Whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every limit admits it.
    Admitted {
        /// It goes on after so long, or sooner if others leave ([`Limiter::standing`]); 0: at once.
        wait_ns: u64,
    },
    /// Some limit refuses it.
    Refused {
        /// The position, among the asks, of the one that takes longest to admit it.
        ask: usize,
        /// A request sent after so long is admitted if nobody else comes; none when no time is known.
        retry_after_ns: Option<u64>,
    },
}

/// Asks all limits and charges all, or none. A request asks a limit at most once.
///
/// Constant in the number of keys, and without allocation unless a key is new or the request has to wait.
#[inline]
pub fn admit(limiters: &mut [Limiter], asks: &mut [Ask], arrival: &Arrival) -> Verdict {
    if arrival.is_exempt {
        return charge_exempt(limiters, asks, arrival);
    }
    let admitted = match &mut *asks {
        [ask] => limiters[ask.limiter].admit(ask, arrival).ok(),
        _ => admit_all(limiters, asks, arrival),
    };
    match admitted {
        Some(wait_ns) => Verdict::Admitted { wait_ns },
        None => refuse(limiters, asks, arrival),
    }
}

/// The latest turn, if every limit gives one; then all are charged.
fn admit_all(limiters: &mut [Limiter], asks: &mut [Ask], arrival: &Arrival) -> Option<u64> {
    let turns_ns = asks.iter_mut().try_fold(0, |latest_ns, ask| {
        let turn_ns = limiters[ask.limiter].check(ask, arrival).ok()?;
        Some(turn_ns.max(latest_ns))
    });
    let wait_ns = turns_ns?;
    for ask in asks {
        limiters[ask.limiter].counts.charge(ask, arrival.at.now_ns);
    }
    Some(wait_ns)
}

#[inline(never)]
fn charge_exempt(limiters: &mut [Limiter], asks: &mut [Ask], arrival: &Arrival) -> Verdict {
    for ask in asks {
        let limiter = &mut limiters[ask.limiter];
        let _any = limiter.check(ask, arrival);
        limiter.counts.charge_unchecked(ask, arrival.at.now_ns);
    }
    Verdict::Admitted { wait_ns: 0 }
}

/// Charges the limits that refuse and count that, and finds the one that takes longest to admit the request.
#[inline(never)]
fn refuse(limiters: &mut [Limiter], asks: &mut [Ask], arrival: &Arrival) -> Verdict {
    let mut longest = (0, Shortage::For(0));
    for (position, ask) in asks.iter_mut().enumerate() {
        let limiter = &mut limiters[ask.limiter];
        let mut found = limiter.check(ask, arrival);
        if limiter.params.count_refused && matches!(found, Err(Shortage::For(_))) {
            limiter.counts.charge_unchecked(ask, arrival.at.now_ns);
            found = limiter.check(ask, arrival);
        }
        if let Err(shortage) = found
            && shortage > longest.1
        {
            longest = (position, shortage);
        }
    }
    let (ask, shortage) = longest;
    Verdict::Refused {
        ask,
        retry_after_ns: shortage.time_ns(),
    }
}
