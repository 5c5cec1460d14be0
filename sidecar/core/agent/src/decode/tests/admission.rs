//! What callers keep to themselves, and what of peers' refusals for load.

use super::*;

fn with(change: impl FnOnce(&mut mesh::Resilience)) -> mesh::Outbound {
    let mut wire = variant(None, 1);
    change(wire.resilience.as_mut().unwrap());
    outbound(vec![wire])
}

fn control() -> mesh::AdmissionControl {
    mesh::AdmissionControl {
        success_rate: 95.0,
        window: seconds(30),
        max_reject_percent: 80.0,
    }
}

#[test]
fn figures_of_admission_control_are_taken_or_named() {
    let taken = cluster(&with(|wire| wire.admission_control = Some(control())));
    let params = taken.admission.as_ref().unwrap().params;
    assert_eq!(params.window_ns, 30_000_000_000);
    assert_eq!(params.max_reject.millionths(), 800_000);
    let never = mesh::AdmissionControl {
        success_rate: 0.0,
        ..control()
    };
    let refused = with(|wire| wire.admission_control = Some(never));
    let path = "variants[0].resilience.admissionControl.successRate";
    assert_eq!(field(Kind::Outbound, &refused), path);
}

fn breaker(overload_trips: bool) -> mesh::BreakerRules {
    mesh::BreakerRules {
        window: Some(mesh::BreakerWindow {
            size: 100,
            minimum_requests: 20,
            ..Default::default()
        }),
        trip: Some(mesh::BreakerTrip::default()),
        reset_timeout: seconds(60),
        open: Some(mesh::BreakerOpen {
            base: seconds(30),
            multiplier: 2.0,
            max: seconds(300),
            jitter: 20.0,
        }),
        half_open: Some(mesh::BreakerHalfOpen {
            success_threshold: Some(3),
            max_wait: seconds(30),
            ..Default::default()
        }),
        overload_trips,
        overload_open: seconds(5),
        ..Default::default()
    }
}

#[test]
fn overload_opens_a_breaker_only_where_it_trips() {
    for (trips, open_ns) in [(true, Some(5_000_000_000)), (false, None)] {
        let wire = with(|wire| {
            wire.breaker = Some(mesh::Breaker {
                service: Some(breaker(trips)),
                endpoint: None,
            });
        });
        let taken = cluster(&wire);
        let rules = &taken.service_breaker.as_ref().unwrap().params;
        assert_eq!(rules.params.overload_open_ns, open_ns);
    }
}
