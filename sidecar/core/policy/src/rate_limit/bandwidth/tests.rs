use super::super::tests::support::at;
use super::super::{Params, WhenKeysFull};
use super::*;

fn limiter(bandwidth: Bandwidth) -> Limiter {
    limiter_of(bandwidth, 10, WhenKeysFull::ShareOne)
}

fn limiter_of(bandwidth: Bandwidth, max_keys: u32, when_keys_full: WhenKeysFull) -> Limiter {
    Limiter::new(Params {
        algorithm: bandwidth.algorithm(),
        max_keys,
        when_keys_full,
        count_refused: false,
    })
}

/// Reads as fast as allowed for a while; returns the bytes and the reads.
fn read_for(bandwidth: Bandwidth, time_ns: u64) -> (u64, u64) {
    let mut limiter = limiter(bandwidth);
    let (mut now_ns, mut bytes, mut reads) = (0, 0, 0);
    while now_ns <= time_ns {
        match bandwidth.allowance(&mut limiter, Some(1), at(now_ns)) {
            Ok(allowed) => {
                assert!((1..=CHUNK_BYTES).contains(&allowed));
                bandwidth.spend(&mut limiter, Some(1), allowed, at(now_ns));
                (bytes, reads) = (bytes + allowed, reads + 1);
            }
            Err(wait_ns) => now_ns += wait_ns,
        }
    }
    (bytes, reads)
}

#[test]
fn no_more_passes_than_the_room_and_what_came_meanwhile_and_not_much_less() {
    for bytes_per_second in [1_000, 1 << 20, 100 << 20] {
        let bandwidth = Bandwidth::new(bytes_per_second);
        let (bytes, _) = read_for(bandwidth, 10 * SECOND_NS);
        let most = (64 << 10).max(bytes_per_second / 20) + 10 * bytes_per_second;
        assert!(bytes <= most);
        assert!(bytes >= most - CHUNK_BYTES, "{bytes} of {most}");
    }
}

#[test]
fn a_slow_stream_is_not_read_byte_by_byte() {
    let (_, reads) = read_for(Bandwidth::new(100_000), 10 * SECOND_NS);
    assert!(reads < 1_020, "{reads}");
}

#[test]
fn keys_do_not_share_their_bandwidth() {
    let bandwidth = Bandwidth::new(1);
    let mut limiter = limiter(bandwidth);
    bandwidth.spend(&mut limiter, Some(1), 64 << 10, at(0));
    assert_eq!(
        bandwidth.allowance(&mut limiter, Some(1), at(0)),
        Err(SECOND_NS)
    );
    assert_eq!(
        bandwidth.allowance(&mut limiter, Some(2), at(0)),
        Ok(CHUNK_BYTES)
    );
}

/// What a limit with one key, which is in use, lets two newcomers read one after the other.
fn newcomers(when_keys_full: WhenKeysFull) -> [Result<u64, u64>; 2] {
    let bandwidth = Bandwidth::new(1);
    let mut limiter = limiter_of(bandwidth, 1, when_keys_full);
    bandwidth.spend(&mut limiter, Some(1), 64 << 10, at(0));
    [2, 3].map(|key| {
        let allowed = bandwidth.allowance(&mut limiter, Some(key), at(0));
        bandwidth.spend(&mut limiter, Some(key), 64 << 10, at(0));
        allowed
    })
}

#[test]
fn newcomers_without_a_place_share_one_bandwidth_or_have_no_limit_as_told() {
    let shared = [Ok(CHUNK_BYTES), Err(SECOND_NS)];
    assert_eq!(newcomers(WhenKeysFull::ShareOne), shared);
    assert_eq!(newcomers(WhenKeysFull::Allow), [Ok(CHUNK_BYTES); 2]);
    assert_eq!(newcomers(WhenKeysFull::Refuse), shared, "begun before");
}

#[test]
fn newcomers_without_a_place_are_refused_where_told_so() {
    let bandwidth = Bandwidth::new(1);
    for (told, refused) in [
        (WhenKeysFull::ShareOne, false),
        (WhenKeysFull::Allow, false),
        (WhenKeysFull::Refuse, true),
    ] {
        let mut limiter = limiter_of(bandwidth, 1, told);
        assert!(!bandwidth.refuses(&mut limiter, Some(1), at(0)));
        bandwidth.spend(&mut limiter, Some(1), 64 << 10, at(0));
        assert!(!bandwidth.refuses(&mut limiter, Some(1), at(0)));
        assert_eq!(bandwidth.refuses(&mut limiter, Some(2), at(0)), refused);
    }
}
