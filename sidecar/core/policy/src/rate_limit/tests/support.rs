use super::super::*;

pub(super) const SECOND: u64 = 1_000_000_000;

/// An instant at which the wall clock is a whole number of seconds, minutes, hours and days ahead.
pub(crate) const fn at(now_ns: u64) -> Moment {
    Moment {
        now_ns,
        unix_ns: 86_400 * 20_000 * SECOND + now_ns,
    }
}

pub(super) const fn params(algorithm: Algorithm) -> Params {
    Params {
        algorithm,
        max_keys: 2,
        when_keys_full: WhenKeysFull::Refuse,
        count_refused: false,
    }
}

pub(super) const fn bucket(rate: Rate, burst: Option<u64>) -> Algorithm {
    Algorithm::TokenBucket { rate, burst }
}

/// A token bucket of so many requests a second.
pub(super) const fn tokens(requests: u64, burst: u64) -> Params {
    params(bucket(Rate::new(requests, SECOND), Some(burst)))
}

pub(super) fn every_algorithm() -> [Algorithm; 6] {
    every_algorithm_of(Rate::new(3, SECOND), Share::new(3, 1))
}

pub(super) fn every_algorithm_of(rate: Rate, share: Share) -> [Algorithm; 6] {
    [
        bucket(rate, None),
        Algorithm::LeakyBucket(Leak {
            rate,
            queue: 2,
            max_wait_ns: SECOND,
            evict: Evict::Newest,
        }),
        Algorithm::FixedWindow {
            rate,
            aligned: true,
        },
        Algorithm::SlidingLog { rate },
        Algorithm::SlidingWindow { rate, buckets: 3 },
        Algorithm::Concurrency(share),
    ]
}

pub(super) const fn arrival(at: Moment) -> Arrival {
    Arrival {
        at,
        left_ns: None,
        is_exempt: false,
    }
}

/// Asks all limits for the same.
pub(super) fn ask(limits: &mut [Limiter], key: Option<Key>, cost: u64, now_ns: u64) -> Verdict {
    let mut asks: Vec<_> = (0..limits.len())
        .map(|at| Ask::new(at, key, cost))
        .collect();
    admit(limits, &mut asks, &arrival(at(now_ns)))
}

pub(super) fn admitted(limits: &mut [Limiter], key: Option<Key>, cost: u64, now_ns: u64) -> bool {
    matches!(ask(limits, key, cost, now_ns), Verdict::Admitted { .. })
}

pub(super) fn exempt(limits: &mut [Limiter], now_ns: u64) {
    let mut asks = [Ask::new(0, None, 1)];
    let arrival = Arrival {
        is_exempt: true,
        ..arrival(at(now_ns))
    };
    assert_eq!(admit(limits, &mut asks, &arrival), AT_ONCE);
}

pub(super) const AT_ONCE: Verdict = Verdict::Admitted { wait_ns: 0 };

pub(super) const fn refused(ask: usize, retry_after_ns: u64) -> Verdict {
    Verdict::Refused {
        ask,
        retry_after_ns: Some(retry_after_ns),
    }
}

pub(super) const fn waits(wait_ns: u64) -> Verdict {
    Verdict::Admitted { wait_ns }
}
