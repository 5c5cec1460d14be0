//! Rate limits of every algorithm, one count for all and ten thousand keys; `governor` beside the token bucket.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{Quota, RateLimiter};
use policy::rate_limit::adaptive::{self, Adaptive};
use policy::rate_limit::bandwidth::Bandwidth;
use policy::rate_limit::strain::{Strain, Thresholds};
use policy::rate_limit::{
    Algorithm, Arrival, Ask, Evict, Key, Leak, Limiter, Params, Rate, Share, Verdict, WhenKeysFull,
    admit,
};
use policy::{Moment, Percent};

use crate::measure::Case;
use crate::time::{SECOND_NS, draw, instant};

const KEYS: u64 = 10_000;
/// Twice as many as there are.
const REQUESTS: u64 = 2_000_000;

pub fn cases() -> Vec<Case> {
    let rate = Rate::new(REQUESTS, SECOND_NS);
    let bucket = Algorithm::TokenBucket { rate, burst: None };
    let in_use = Algorithm::TokenBucket {
        rate: Rate::new(1, SECOND_NS),
        burst: Some(REQUESTS),
    };
    let meter = Algorithm::LeakyBucket(Leak {
        rate,
        queue: 0,
        max_wait_ns: 0,
        evict: Evict::Newest,
    });
    let fixed = Algorithm::FixedWindow {
        rate,
        aligned: true,
    };
    let log = Algorithm::SlidingLog {
        rate: Rate::new(10_000, SECOND_NS / 100),
    };
    let sliding = |buckets| Algorithm::SlidingWindow { rate, buckets };
    let in_flight = Algorithm::Concurrency(Share::new(1, 1));
    vec![
        Case::new("nothing at all", || |number| arrival(number).at.now_ns > 7),
        one("token bucket", bucket),
        keyed("token bucket, 10,000 keys", in_use),
        keyed("token bucket, 10,000 keys, full again", bucket),
        refusing("token bucket, refusing"),
        two("two token buckets at once", bucket),
        governed("governor"),
        governed_keyed("governor, 10,000 keys"),
        one("leaky bucket, a meter", meter),
        one("fixed window", fixed),
        keyed("fixed window, 10,000 keys", fixed),
        one("sliding log", log),
        one("sliding window", sliding(1)),
        keyed("sliding window, 10,000 keys", sliding(1)),
        one("sliding window of ten slices", sliding(10)),
        released("concurrency, there and back", in_flight),
        metered("bandwidth, allowance and spending"),
        adapted("adaptive limit, a look at the clock"),
        strained("limit of a resource, a measurement"),
    ]
}

fn limiter(algorithm: Algorithm) -> Limiter {
    Limiter::new(Params {
        algorithm,
        max_keys: 65_536,
        when_keys_full: WhenKeysFull::ShareOne,
        count_refused: false,
    })
}

fn arrival(number: u64) -> Arrival {
    let now_ns = instant(number);
    Arrival {
        at: Moment {
            now_ns,
            unix_ns: now_ns + 77,
        },
        left_ns: None,
        is_exempt: false,
    }
}

fn hash(number: u64) -> Key {
    draw(number % KEYS)
}

fn is_admitted(limiters: &mut [Limiter], asks: &mut [Ask], number: u64) -> bool {
    matches!(
        admit(limiters, asks, &arrival(number)),
        Verdict::Admitted { .. }
    )
}

fn one(name: &'static str, algorithm: Algorithm) -> Case {
    Case::new(name, move || {
        let mut limiters = [limiter(algorithm)];
        move |number| is_admitted(&mut limiters, &mut [Ask::new(0, None, 1)], number)
    })
}

fn keyed(name: &'static str, algorithm: Algorithm) -> Case {
    Case::new(name, move || {
        let mut limiters = [limiter(algorithm)];
        move |number| {
            is_admitted(
                &mut limiters,
                &mut [Ask::new(0, Some(hash(number)), 1)],
                number,
            )
        }
    })
}

fn two(name: &'static str, algorithm: Algorithm) -> Case {
    Case::new(name, move || {
        let mut limiters = [limiter(algorithm), limiter(algorithm)];
        move |number| {
            let mut asks = [Ask::new(0, None, 1), Ask::new(1, None, 1)];
            is_admitted(&mut limiters, &mut asks, number)
        }
    })
}

fn refusing(name: &'static str) -> Case {
    Case::new(name, move || {
        let rate = Rate::new(1, 3_600 * SECOND_NS);
        let mut limiters = [limiter(Algorithm::TokenBucket { rate, burst: None })];
        move |number| is_admitted(&mut limiters, &mut [Ask::new(0, None, 1)], number)
    })
}

fn released(name: &'static str, algorithm: Algorithm) -> Case {
    Case::new(name, move || {
        let mut limiters = [limiter(algorithm)];
        move |number| {
            let mut asks = [Ask::new(0, None, 1)];
            let is_admitted = is_admitted(&mut limiters, &mut asks, number);
            limiters[0].release(&mut asks[0], arrival(number).at);
            is_admitted
        }
    })
}

fn metered(name: &'static str) -> Case {
    Case::new(name, || {
        let bandwidth = Bandwidth::new(REQUESTS * 1_000);
        let mut limiter = limiter(bandwidth.algorithm());
        move |number| {
            let at = arrival(number).at;
            let allowed = bandwidth.allowance(&mut limiter, None, at);
            bandwidth.spend(&mut limiter, None, 1_000, at);
            allowed.is_ok()
        }
    })
}

fn adapted(name: &'static str) -> Case {
    Case::new(name, || {
        let params = adaptive::Params {
            min: 1,
            max: 1_000,
            target: 500_000,
        };
        let mut moving = Adaptive::new(params, 100, 0);
        move |number| {
            let now_ns = instant(number);
            !moving.is_due(now_ns) || moving.adapt(Some(number % 1_000_000), now_ns) > 0
        }
    })
}

fn strained(name: &'static str) -> Case {
    Case::new(name, || {
        let (mut strain, thresholds) = (
            Strain::default(),
            Thresholds {
                enter: Percent::new(90),
                exit: Percent::new(80),
            },
        );
        move |number| !strain.observe(thresholds, Percent::new((number % 100) as u32))
    })
}

fn quota() -> Quota {
    let requests = NonZeroU32::new(REQUESTS as u32).unwrap_or(NonZeroU32::MAX);
    Quota::per_second(requests)
}

fn governed(name: &'static str) -> Case {
    let governor = Arc::new(RateLimiter::direct(quota()));
    Case::new(name, move || {
        let governor = Arc::clone(&governor);
        move |_| governor.check().is_ok()
    })
}

fn governed_keyed(name: &'static str) -> Case {
    let governor = Arc::new(RateLimiter::keyed(quota()));
    Case::new(name, move || {
        let governor = Arc::clone(&governor);
        move |number| governor.check_key(&hash(number)).is_ok()
    })
}
