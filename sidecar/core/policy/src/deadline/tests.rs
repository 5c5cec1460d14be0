use super::*;

const SECOND: u64 = 1_000 * MILLISECOND_NS;

fn fix(policy_ns: Option<u64>, carried_ns: Option<u64>, grpc_ns: Option<u64>) -> Deadline {
    Deadline::fix(
        &Bounds {
            policy_ns,
            carried_ns,
            grpc_ns,
        },
        100,
    )
    .unwrap()
    .unwrap()
}

#[test]
fn the_soonest_bound_is_the_deadline() {
    assert_eq!(
        fix(Some(15 * SECOND), None, None).at_ns(),
        15 * SECOND + 100
    );
    assert_eq!(
        fix(Some(15 * SECOND), Some(SECOND), Some(2 * SECOND)).at_ns(),
        SECOND + 100
    );
    assert_eq!(fix(None, None, Some(2 * SECOND)).at_ns(), 2 * SECOND + 100);
    assert_eq!(Deadline::fix(&Bounds::default(), 100), Ok(None));
}

#[test]
fn a_header_can_only_shorten() {
    let deadline = fix(
        Some(SECOND),
        parse_deadline_ms(b"99999999999999999999999"),
        None,
    );
    assert_eq!(deadline.left_ns(100), SECOND);
    assert!(!deadline.is_callers());
}

#[test]
fn a_callers_shorter_deadline_is_told_from_the_policys_own_timeout() {
    assert!(fix(Some(SECOND), Some(SECOND - 1), None).is_callers());
    assert!(!fix(Some(SECOND), Some(SECOND), None).is_callers());
    assert!(fix(None, Some(SECOND), None).is_callers());
}

#[test]
fn what_arrives_with_nothing_left_is_exhausted() {
    let bounds = Bounds {
        policy_ns: Some(SECOND),
        carried_ns: Some(0),
        grpc_ns: None,
    };
    assert_eq!(Deadline::fix(&bounds, 100), Err(Exhausted));
    let bounds = Bounds {
        grpc_ns: Some(0),
        ..Bounds::default()
    };
    assert_eq!(Deadline::fix(&bounds, 100), Err(Exhausted));
}

#[test]
fn each_hop_hands_on_what_remains_less_two_milliseconds() {
    let deadline = fix(Some(SECOND), None, None);
    assert_eq!(deadline.handed_on_ms(100), 998);
    assert_eq!(deadline.handed_on_ms(101), 997);
    assert_eq!(deadline.handed_on_ms(100 + SECOND - 2 * MILLISECOND_NS), 0);
    assert_eq!(deadline.handed_on_ns(u64::MAX), 0);
}

#[test]
fn a_deadline_field_is_digits_alone() {
    assert_eq!(parse_deadline_ms(b"0"), Some(0));
    assert_eq!(parse_deadline_ms(b"1500"), Some(1_500 * MILLISECOND_NS));
    for field in [&b""[..], b"-1", b"+1", b"1.5", b" 1", b"1s", b"0x1"] {
        assert_eq!(parse_deadline_ms(field), None);
    }
}

#[test]
fn a_grpc_timeout_is_up_to_eight_digits_and_a_unit() {
    let units: [(&[u8], u64); 6] = [
        (b"1n", 1),
        (b"1u", 1_000),
        (b"1m", MILLISECOND_NS),
        (b"1S", SECOND),
        (b"1M", 60 * SECOND),
        (b"1H", 3_600 * SECOND),
    ];
    for (field, expected) in units {
        assert_eq!(parse_grpc_timeout(field), Some(expected));
    }
    assert_eq!(parse_grpc_timeout(b"99999999n"), Some(99_999_999));
    for field in [&b""[..], b"S", b"1", b"1s", b"100000000n", b"-1S", b"1 S"] {
        assert_eq!(parse_grpc_timeout(field), None);
    }
}

#[test]
fn a_grpc_timeout_is_written_as_finely_as_eight_digits_allow_and_never_longer() {
    let cases = [
        (0, "0n"),
        (99_999_999, "99999999n"),
        (100_000_001, "100000u"),
        (SECOND, "1000000u"),
        (100_000 * SECOND, "100000S"),
    ];
    for (left_ns, text) in cases {
        assert_eq!(GrpcTimeout::from_ns(left_ns).to_string(), text);
    }
    for shift in 0..64 {
        let left_ns = u64::MAX >> shift;
        let text = GrpcTimeout::from_ns(left_ns).to_string();
        let read_ns = parse_grpc_timeout(text.as_bytes()).unwrap();
        assert!(
            read_ns <= left_ns && left_ns - read_ns <= left_ns / 100_000,
            "{left_ns} {text}"
        );
    }
}
