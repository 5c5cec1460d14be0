//! What stands in front of an application.

use policy::Criticality;
use policy::backpressure::{Concurrency, Discipline, Mode, codel};

use super::*;

fn span(millis: i32) -> Option<Duration> {
    Some(Duration {
        seconds: 0,
        nanos: millis * 1_000_000,
    })
}

fn queue() -> mesh::Queue {
    mesh::Queue {
        capacity: 10,
        mode: mesh::QueueMode::Block.into(),
        block_for: span(20),
        max_capacity: 100,
        max_bytes: 1000,
        throttle_from: 70.0,
        discipline: mesh::QueueDiscipline::Codel.into(),
        codel: Some(mesh::CodelFigures {
            target: span(5),
            interval: span(100),
        }),
    }
}

fn with(queue: mesh::Queue) -> mesh::Backpressure {
    mesh::Backpressure {
        queue: Some(queue),
        ..Default::default()
    }
}

fn inbound(settings: mesh::Backpressure) -> mesh::Inbound {
    let origin = mesh::FieldOrigin {
        path: "queue.capacity".to_owned(),
        policy: Some(mesh::PolicyRef {
            kind: "BackpressurePolicy".to_owned(),
            namespace: "shop".to_owned(),
            name: "cart".to_owned(),
            generation: 1,
        }),
        level: "Service".to_owned(),
    };
    mesh::Inbound {
        service: cart(),
        backpressure: Some(mesh::InboundBackpressure {
            settings: Some(settings),
            origins: vec![origin],
        }),
        ..Default::default()
    }
}

fn front(settings: mesh::Backpressure) -> proxy::config::Backpressure {
    match decoded(Kind::Inbound, &inbound(settings)) {
        Ok(Decoded::Inbound(inbound)) => inbound.backpressure.clone().unwrap(),
        other => panic!("expected what stands in front, found {other:?}"),
    }
}

fn fault(settings: mesh::Backpressure) -> String {
    field(Kind::Inbound, &inbound(settings))
}

#[test]
fn a_queue_has_its_mode_its_discipline_and_its_policy() {
    let rules = front(with(queue()));
    let queue = rules.params.queue.unwrap();
    assert_eq!(
        (queue.capacity, queue.mode),
        (10, Mode::Block { for_ns: 20_000_000 })
    );
    let figures = codel::Params {
        target_ns: 5_000_000,
        interval_ns: 100_000_000,
    };
    assert_eq!(queue.discipline, Discipline::Codel(figures));
    assert_eq!(rules.params.concurrency, Concurrency::Unlimited);
    assert_eq!(rules.queue_policy.unwrap().to_string(), "shop/cart");
    assert!(rules.concurrency_policy.is_none());
}

#[test]
fn concurrency_is_a_number_or_adaptive() {
    let with = |limit, adaptive| mesh::Backpressure {
        concurrency: Some(mesh::Concurrency { limit, adaptive }),
        ..Default::default()
    };
    let adaptive = mesh::AdaptiveConcurrency {
        min: 8,
        max: 512,
        tolerance: 1.5,
        smoothing: 0.2,
    };
    assert_eq!(
        front(with(Some(7), None)).params.concurrency,
        Concurrency::Fixed(7)
    );
    let found = front(with(None, Some(adaptive))).params.concurrency;
    assert!(matches!(found, Concurrency::Adaptive(params) if params.max == 512));
    assert_eq!(fault(with(None, None)), "backpressure.concurrency");
    assert_eq!(fault(with(Some(0), None)), "backpressure.concurrency.limit");
    let least = mesh::AdaptiveConcurrency { max: 1, ..adaptive };
    assert_eq!(
        fault(with(None, Some(least))),
        "backpressure.concurrency.adaptive.max"
    );
    let never = mesh::AdaptiveConcurrency {
        smoothing: 0.0,
        ..adaptive
    };
    let path = "backpressure.concurrency.adaptive.smoothing";
    assert_eq!(fault(with(None, Some(never))), path);
}

#[test]
fn classes_have_a_word_and_matches() {
    let with = |word: &str| mesh::Backpressure {
        classes: vec![mesh::CriticalityClass {
            criticality: word.to_owned(),
            r#match: vec![mesh::RequestMatch::default()],
        }],
        ..Default::default()
    };
    let class = &front(with("sheddable")).classes[0];
    assert_eq!(
        (class.criticality, class.matches.len()),
        (Criticality::Sheddable, 1)
    );
    assert_eq!(fault(with("urgent")), "backpressure.classes[0].criticality");
}

#[test]
fn what_a_later_version_says_is_refused() {
    for (queue, path) in [
        (
            mesh::Queue {
                mode: 99,
                ..queue()
            },
            "mode",
        ),
        (
            mesh::Queue {
                discipline: 99,
                ..queue()
            },
            "discipline",
        ),
        (
            mesh::Queue {
                capacity: 0,
                ..queue()
            },
            "capacity",
        ),
        (
            mesh::Queue {
                codel: None,
                ..queue()
            },
            "codel",
        ),
    ] {
        assert_eq!(fault(with(queue)), format!("backpressure.queue.{path}"));
    }
    let fairness = mesh::Backpressure {
        fairness: Some(mesh::Fairness {
            by: vec![mesh::LimitSubject::default()],
        }),
        ..Default::default()
    };
    assert_eq!(fault(fairness), "backpressure.fairness.by[0]");
}
