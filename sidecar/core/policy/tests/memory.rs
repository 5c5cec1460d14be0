//! What many keys of a limit cost. Alone in its program: the memory of a process is that of all its tests.

use policy::Moment;
use policy::rate_limit::{
    Algorithm, Arrival, Ask, Evict, Leak, Limiter, Params, Rate, Share, Verdict, WhenKeysFull,
    admit,
};

const HOUR_NS: u64 = 3_600_000_000_000;
const MILLION: u64 = 1_000_000;
/// A million in a minute.
const STEP_NS: u64 = 60_000;

#[test]
fn many_keys_cost_less_than_64_mib_and_none_is_reset() {
    let rate = Rate::new(1, HOUR_NS);
    let bucket = Algorithm::TokenBucket {
        rate,
        burst: Some(1),
    };
    limits_of_all_keys_cost_less(&mut [limiter(bucket, MILLION as u32)], MILLION);
    let leak = Algorithm::LeakyBucket(Leak {
        rate,
        queue: 0,
        max_wait_ns: 0,
        evict: Evict::Newest,
    });
    let window = Algorithm::FixedWindow {
        rate,
        aligned: false,
    };
    let log = Algorithm::SlidingLog { rate };
    let sliding = Algorithm::SlidingWindow { rate, buckets: 1 };
    let in_flight = Algorithm::Concurrency(Share::new(1, 1));
    let mut others =
        [leak, window, log, sliding, in_flight].map(|algorithm| limiter(algorithm, 65_536));
    limits_of_all_keys_cost_less(&mut others, MILLION / 10);
}

/// A limit alone, or several together.
fn limits_of_all_keys_cost_less(limits: &mut [Limiter], keys: u64) {
    let before = resident_bytes();
    assert!(before > 0, "expected to know the memory in use");
    for number in 0..keys + 100 {
        for limit in &mut *limits {
            let _ = is_admitted(limit, number, number * STEP_NS);
        }
    }
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < 64 << 20, "expected less, found {growth} bytes");
    for limit in limits {
        let most = keys.min(u64::from(limit.params().max_keys));
        assert_eq!(limit.keys() as u64, most);
        assert!(!is_admitted(limit, 0, (keys + 100) * STEP_NS));
    }
}

fn limiter(algorithm: Algorithm, max_keys: u32) -> Limiter {
    Limiter::new(Params {
        algorithm,
        max_keys,
        when_keys_full: WhenKeysFull::ShareOne,
        count_refused: false,
    })
}

fn is_admitted(limit: &mut Limiter, number: u64, now_ns: u64) -> bool {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let arrival = Arrival {
        at: Moment {
            now_ns,
            unix_ns: now_ns,
        },
        left_ns: None,
        is_exempt: false,
    };
    let limits = std::slice::from_mut(limit);
    let verdict = admit(limits, &mut [Ask::new(0, Some(key), 1)], &arrival);
    matches!(verdict, Verdict::Admitted { .. })
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).map(str::parse::<usize>);
    resident
        .and_then(Result::ok)
        .map_or(0, |pages| pages * 4096)
}
