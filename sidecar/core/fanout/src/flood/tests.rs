use std::time::Duration;

use tokio::time::Instant;

use super::{CONTINUATION, DATA, EACH, END_STREAM, Gauge, MOST, PING, PREFACE, RESET};

const HEADERS: u8 = 0x1;

fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
    bytes.resize(9 + usize::from(length), 0);
    bytes
}

fn begun(now: Instant) -> Gauge {
    let mut gauge = Gauge::new(now);
    assert!(gauge.is_calm(&[0xff; PREFACE], now));
    gauge
}

/// How many of the same frames may come at once.
fn borne(kind: u8, flags: u8, length: u8) -> u32 {
    let now = Instant::now();
    let mut gauge = begun(now);
    let bytes = frame(kind, flags, length);
    (0..2 * MOST)
        .take_while(|_| gauge.is_calm(&bytes, now))
        .count() as u32
}

#[test]
fn frames_that_cost_only_us_are_bounded() {
    assert_eq!(borne(PING, 0, 8), MOST);
    assert_eq!(borne(RESET, 0, 4), MOST);
    assert_eq!(borne(DATA, 0, 0), MOST);
    assert_eq!(borne(CONTINUATION, 0, 0), MOST);
}

#[test]
fn frames_that_carry_something_are_not() {
    assert_eq!(borne(DATA, 0, 1), 2 * MOST);
    assert_eq!(borne(DATA, END_STREAM, 0), 2 * MOST);
    assert_eq!(borne(HEADERS, 0, 20), 2 * MOST);
}

#[test]
fn what_comes_slowly_is_forgiven() {
    let mut now = Instant::now();
    let mut gauge = begun(now);
    for _ in 0..3 * MOST {
        now += EACH;
        assert!(gauge.is_calm(&frame(PING, 0, 8), now));
    }
    let after = now + Duration::from_secs(60);
    assert!((0..MOST).all(|_| gauge.is_calm(&frame(PING, 0, 8), after)));
}

#[test]
fn frames_are_counted_however_they_are_cut() {
    let now = Instant::now();
    let bytes: Vec<u8> = (0..MOST).flat_map(|_| frame(PING, 0, 8)).collect();
    for size in [1, 2, 7, 9, 16, 17, 100] {
        let mut gauge = begun(now);
        assert!(bytes.chunks(size).all(|piece| gauge.is_calm(piece, now)));
        assert!(
            !gauge.is_calm(&frame(PING, 0, 8), now),
            "cut every {size} bytes"
        );
    }
}
