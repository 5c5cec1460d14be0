use super::*;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

impl Recorded for Record {
    fn record(&self) -> &Record {
        self
    }

    fn record_mut(&mut self) -> &mut Record {
        self
    }
}

fn params() -> Params {
    Params {
        interval_ns: 10 * SECOND,
        consecutive_failures: None,
        consecutive_gateway_failures: None,
        connect_failures: None,
        success_rate: None,
        failure_percentage: None,
        latency: None,
        base_ns: 30 * SECOND,
        max_ns: 300 * SECOND,
    }
}

fn calls(detector: &Detector, record: &mut Record, signal: Signal, count: u32) -> Option<Cause> {
    let results = (0..count).map(|_| detector.on_result(record, signal, MILLISECOND, 0));
    results.last().flatten()
}

#[test]
fn failures_in_a_row_eject_at_once() {
    let detector = Detector::new(
        Params {
            consecutive_failures: Some(5),
            ..params()
        },
        0,
    );
    let mut record = Record::default();
    assert_eq!(calls(&detector, &mut record, Signal::Failure, 4), None);
    calls(&detector, &mut record, Signal::Success, 1);
    assert_eq!(calls(&detector, &mut record, Signal::Failure, 4), None);
    assert_eq!(
        calls(&detector, &mut record, Signal::ConnectFailure, 1),
        Some(Cause::ConsecutiveFailures)
    );
    assert_eq!(record.ejected(0), Some((0, 30 * SECOND)));
}

#[test]
fn a_kind_of_failure_counts_for_every_wider_kind() {
    let detector = Detector::new(
        Params {
            consecutive_gateway_failures: Some(2),
            connect_failures: Some(2),
            ..params()
        },
        0,
    );
    let mut record = Record::default();
    calls(&detector, &mut record, Signal::ConnectFailure, 1);
    assert_eq!(
        calls(&detector, &mut record, Signal::GatewayFailure, 1),
        Some(Cause::ConsecutiveGatewayFailures)
    );
}

#[test]
fn a_plain_failure_interrupts_gateway_failures() {
    let detector = Detector::new(
        Params {
            consecutive_gateway_failures: Some(2),
            ..params()
        },
        0,
    );
    let mut record = Record::default();
    calls(&detector, &mut record, Signal::GatewayFailure, 1);
    calls(&detector, &mut record, Signal::Failure, 1);
    assert_eq!(
        calls(&detector, &mut record, Signal::GatewayFailure, 1),
        None
    );
}

#[test]
fn each_ejection_is_longer_until_healthy_sweeps_forgive() {
    let rules = Params {
        consecutive_failures: Some(1),
        max_ns: 70 * SECOND,
        ..params()
    };
    let mut detector = Detector::new(rules, 0);
    let mut record = [Record::default()];
    let mut lengths = Vec::new();
    let mut now_ns = 0;
    for _ in 0..3 {
        detector.on_result(&mut record[0], Signal::Failure, 0, now_ns);
        let (since_ns, until_ns) = record[0].ejected(now_ns).unwrap();
        lengths.push(until_ns - since_ns);
        now_ns = until_ns;
    }
    assert_eq!(lengths, [30 * SECOND, 60 * SECOND, 70 * SECOND]);
    assert_eq!(record[0].ejections(), 3);
    detector.sweep(&mut record, detector.due_ns());
    assert_eq!(
        record[0].ejections(),
        3,
        "a sweep while it was set aside forgives nothing"
    );
}

#[test]
fn sweeps_that_passed_unseen_count() {
    let rules = Params {
        consecutive_failures: Some(1),
        base_ns: SECOND,
        ..params()
    };
    let mut detector = Detector::new(rules, 0);
    let mut record = [Record::default()];
    for now_ns in [0, 2 * SECOND, 5 * SECOND] {
        detector.on_result(&mut record[0], Signal::Failure, 0, now_ns);
    }
    assert_eq!(record[0].ejections(), 3);
    detector.sweep(&mut record, 25 * SECOND);
    assert_eq!(record[0].ejections(), 1);
    assert_eq!(detector.due_ns(), 30 * SECOND);
}

#[test]
fn sweeps_that_passed_unseen_while_it_was_set_aside_forgive_nothing() {
    let rules = Params {
        consecutive_failures: Some(1),
        max_ns: 120 * SECOND,
        ..params()
    };
    let mut detector = Detector::new(rules, 0);
    let mut record = [Record::default()];
    for now_ns in [0, 30 * SECOND] {
        detector.on_result(&mut record[0], Signal::Failure, 0, now_ns);
    }
    detector.sweep(&mut record, 95 * SECOND);
    assert_eq!(record[0].ejections(), 1, "set aside until 90 s");
}

#[test]
fn an_endpoint_returns_by_steps() {
    let detector = Detector::new(
        Params {
            consecutive_failures: Some(1),
            ..params()
        },
        0,
    );
    let mut record = Record::default();
    assert_eq!(record.share(0), Percent::new(100));
    calls(&detector, &mut record, Signal::Failure, 1);
    let shares = [29, 30, 39, 40, 50, 60].map(|second| record.share(second * SECOND));
    assert_eq!(shares, [0, 10, 10, 25, 50, 100].map(Percent::new));
}

#[test]
fn an_endpoint_that_never_left_needs_no_return() {
    let rules = Params {
        consecutive_failures: Some(1),
        ..params()
    };
    let detector = Detector::new(rules, 0);
    let shares = |kept: [bool; 2]| {
        let mut record = Record::default();
        calls(&detector, &mut record, Signal::Failure, 1);
        for (second, is_kept) in [(0, kept[0]), (20, kept[1]), (30, false)] {
            record.note_kept(is_kept, second * SECOND);
        }
        [29, 30].map(|second| record.share(second * SECOND))
    };
    assert_eq!(shares([true, true]), [0, 100].map(Percent::new));
    assert_eq!(shares([true, false]), [0, 10].map(Percent::new));
}

#[test]
fn a_success_rate_far_below_the_others_ejects() {
    let mut detector = Detector::new(
        Params {
            success_rate: Some(SuccessRate {
                stdev_factor: 1.9,
                minimum_endpoints: 5,
                minimum_requests: 100,
            }),
            ..params()
        },
        0,
    );
    let mut members = vec![Record::default(); 6];
    for (at, record) in members.iter_mut().enumerate() {
        calls(&detector, record, Signal::Success, 100);
        calls(
            &detector,
            record,
            Signal::Failure,
            if at == 3 { 60 } else { 0 },
        );
    }
    let ejections = detector.sweep(&mut members, 10 * SECOND);
    assert_eq!(
        ejections,
        [Ejection {
            endpoint: 3,
            cause: Cause::SuccessRate
        }]
    );
    assert_eq!(
        members[3].ejected(10 * SECOND),
        Some((10 * SECOND, 40 * SECOND))
    );
}

#[test]
fn too_few_endpoints_or_calls_are_not_judged() {
    let rules = FailurePercentage {
        threshold: Percent::new(85),
        minimum_endpoints: 2,
        minimum_requests: 50,
    };
    let judged = |counts: [u32; 2]| {
        let mut detector = Detector::new(
            Params {
                failure_percentage: Some(rules),
                ..params()
            },
            0,
        );
        let mut members = [Record::default(), Record::default()];
        for (record, count) in members.iter_mut().zip(counts) {
            calls(&detector, record, Signal::Failure, count);
        }
        detector.sweep(&mut members, 10 * SECOND).len()
    };
    assert_eq!(
        [judged([50, 50]), judged([50, 49]), judged([49, 49])],
        [2, 0, 0]
    );
}

#[test]
fn an_endpoint_slow_for_several_sweeps_is_ejected() {
    let mut detector = Detector::new(
        Params {
            latency: Some(Latency {
                factor: 3.0,
                sweeps: 3,
                minimum_samples: 20,
            }),
            ..params()
        },
        0,
    );
    let mut members = vec![Record::default(); 4];
    let mut found = Vec::new();
    for sweep in 1..=3 {
        for (at, record) in members.iter_mut().enumerate() {
            let latency_ns = if at == 0 { 80 } else { 20 } * MILLISECOND;
            for _ in 0..20 {
                detector.on_result(record, Signal::Success, latency_ns, sweep * 10 * SECOND - 1);
            }
        }
        found.push(detector.sweep(&mut members, sweep * 10 * SECOND).len());
    }
    assert_eq!(found, [0, 0, 1]);
    assert!(members[0].is_ejected(30 * SECOND));
}

#[test]
fn a_row_of_slow_sweeps_ends_where_latency_is_not_compared() {
    let compared = Params {
        latency: Some(Latency {
            factor: 3.0,
            sweeps: 2,
            minimum_samples: 20,
        }),
        ..params()
    };
    let mut detector = Detector::new(compared, 0);
    let mut members = vec![Record::default(); 4];
    let mut found = Vec::new();
    for (sweep, rules) in (1..).zip([compared, params(), compared, compared]) {
        let due_ns = sweep * 10 * SECOND;
        detector.reconfigure(rules, due_ns - 1);
        for (at, record) in members.iter_mut().enumerate() {
            let latency_ns = if at == 0 { 80 } else { 20 } * MILLISECOND;
            for _ in 0..20 {
                detector.on_result(record, Signal::Success, latency_ns, due_ns - 1);
            }
        }
        found.push(detector.sweep(&mut members, due_ns).len());
    }
    assert_eq!(found, [0, 0, 0, 1]);
}
