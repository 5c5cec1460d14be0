use super::*;

const MS: u64 = 1_000_000;
const PARAMS: Params = Params {
    min: 8,
    max: 512,
    tolerance: 1.5,
    smoothing: 0.2,
};

/// A second of requests, one per ms, with as many in flight and as slow as told.
fn second(limit: &mut Gradient, start_ms: u64, mut at: impl FnMut(u64) -> (u32, u64)) {
    for ms in 0..1000 {
        let (in_flight, latency_ns) = at(ms);
        limit.sample(latency_ns, in_flight, (start_ms + ms) * MS);
    }
}

fn warm() -> Gradient {
    let mut limit = Gradient::new(PARAMS);
    for start_ms in (0..10_000).step_by(1000) {
        second(&mut limit, start_ms, |ms| (limit_half(ms), 10 * MS));
    }
    limit
}

/// Some number in flight, never the same for long.
const fn limit_half(ms: u64) -> u32 {
    200 + (ms % 10) as u32
}

#[test]
fn it_starts_at_twenty_and_grows_while_latency_is_as_ever() {
    let limit = Gradient::new(PARAMS);
    assert_eq!(limit.limit(), 20);
    assert!(warm().limit() > 200, "{}", warm().limit());
}

#[test]
fn it_shrinks_when_latency_goes_with_the_number_in_flight() {
    let mut limit = warm();
    let before = limit.limit();
    for start_ms in (10_000..13_000).step_by(1000) {
        second(&mut limit, start_ms, |ms| {
            let in_flight = before / 2 + 1 + (ms % 100) as u32;
            (in_flight, u64::from(in_flight) * MS)
        });
    }
    assert!(
        limit.limit() < before * 3 / 4,
        "{} of {before}",
        limit.limit()
    );
}

#[test]
fn it_stays_when_latency_does_not_depend_on_it() {
    let mut limit = warm();
    let before = limit.limit();
    second(&mut limit, 10_000, |ms| {
        let in_flight = before / 2 + 1 + (ms % 7) as u32;
        (in_flight, (100 + ms % 11) * MS)
    });
    assert_eq!(limit.limit(), before);
}

#[test]
fn it_stays_while_it_is_not_used() {
    let mut limit = Gradient::new(PARAMS);
    second(&mut limit, 0, |_| (9, 10 * MS));
    assert_eq!(limit.limit(), 20);
}

#[test]
fn it_keeps_within_its_bounds() {
    let narrow = Params {
        min: 30,
        max: 40,
        ..PARAMS
    };
    let mut limit = Gradient::new(narrow);
    assert_eq!(limit.limit(), 30);
    for start_ms in (0..10_000).step_by(1000) {
        second(&mut limit, start_ms, |ms| (limit_half(ms), 10 * MS));
    }
    assert_eq!(limit.limit(), 40);
    limit.reconfigure(Params { max: 35, ..narrow });
    assert_eq!(limit.limit(), 35);
}
