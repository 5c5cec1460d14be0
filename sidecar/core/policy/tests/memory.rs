//! What a million keys of a limit cost. Alone in its program: the memory of a process is that of all its tests.

use policy::Moment;
use policy::rate_limit::{
    Algorithm, Arrival, Ask, Limiter, Params, Rate, Verdict, WhenKeysFull, admit,
};

const HOUR_NS: u64 = 3_600_000_000_000;
const KEYS: u64 = 1_000_000;
/// A million in a minute.
const STEP_NS: u64 = 60_000;

#[test]
fn a_million_keys_cost_less_than_64_mib_and_none_is_reset() {
    let mut limits = [Limiter::new(Params {
        algorithm: Algorithm::TokenBucket {
            rate: Rate::new(1, HOUR_NS),
            burst: Some(1),
        },
        max_keys: KEYS as u32,
        when_keys_full: WhenKeysFull::ShareOne,
        count_refused: false,
    })];
    let before = resident_bytes().unwrap();
    for number in 0..KEYS + 100 {
        let _ = is_admitted(&mut limits, number, number * STEP_NS);
    }
    let growth = resident_bytes().unwrap() - before;
    assert!(growth < 64 << 20, "expected less, found {growth} bytes");
    assert_eq!(limits[0].keys() as u64, KEYS);
    assert!(!is_admitted(&mut limits, 0, (KEYS + 100) * STEP_NS));
}

fn is_admitted(limits: &mut [Limiter], number: u64, now_ns: u64) -> bool {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let arrival = Arrival {
        at: Moment {
            now_ns,
            unix_ns: now_ns,
        },
        left_ns: None,
        is_exempt: false,
    };
    let verdict = admit(limits, &mut [Ask::new(0, Some(key), 1)], &arrival);
    matches!(verdict, Verdict::Admitted { .. })
}

fn resident_bytes() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}
