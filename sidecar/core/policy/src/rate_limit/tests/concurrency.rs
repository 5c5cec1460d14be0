use super::*;

fn in_flight(limit: u64) -> [Limiter; 1] {
    [Limiter::new(params(Algorithm::Concurrency(Share::new(
        limit, 1,
    ))))]
}

fn enter(limits: &mut [Limiter], key: Option<Key>) -> (Ask, Verdict) {
    let mut asks = [Ask::new(0, key, 1)];
    let verdict = admit(limits, &mut asks, &arrival(at(0)));
    (asks[0], verdict)
}

#[test]
fn a_request_that_ends_makes_room_for_the_next() {
    let mut limits = in_flight(1);
    let (mut first, verdict) = enter(&mut limits, Some(1));
    assert_eq!(verdict, AT_ONCE);
    assert_ne!(enter(&mut limits, Some(1)).1, AT_ONCE);
    limits[0].release(&mut first, at(1));
    assert_eq!(enter(&mut limits, Some(1)).1, AT_ONCE);
}

#[test]
fn a_request_ends_once() {
    let mut limits = in_flight(2);
    let (mut first, _) = enter(&mut limits, None);
    let (_second, _) = enter(&mut limits, None);
    limits[0].release(&mut first, at(1));
    limits[0].release(&mut first, at(1));
    assert_eq!(limits[0].view(None, at(1)).remaining, 1);
}

#[test]
fn a_key_is_forgotten_with_its_last_request_and_not_before() {
    let mut limits = in_flight(2);
    let (mut first, _) = enter(&mut limits, Some(1));
    let (mut second, _) = enter(&mut limits, Some(1));
    limits[0].release(&mut first, at(1));
    assert_eq!(limits[0].keys(), 1);
    limits[0].release(&mut second, at(1));
    assert_eq!(limits[0].keys(), 0);
}

#[test]
fn refusals_are_never_in_flight() {
    let mut limits = [Limiter::new(Params {
        count_refused: true,
        ..*in_flight(1)[0].params()
    })];
    let (mut first, _) = enter(&mut limits, None);
    let _ = enter(&mut limits, None);
    limits[0].release(&mut first, at(0));
    assert_eq!(limits[0].view(None, at(0)).remaining, 1);
}

#[test]
fn an_exempt_request_is_in_flight_like_any_other() {
    let mut limits = in_flight(1);
    let mut asks = [Ask::new(0, None, 1)];
    let arrival = Arrival {
        is_exempt: true,
        ..arrival(at(0))
    };
    assert_eq!(admit(&mut limits, &mut asks, &arrival), AT_ONCE);
    assert_eq!(limits[0].view(None, at(0)).remaining, 0);
    limits[0].release(&mut asks[0], at(0));
    assert_eq!(limits[0].view(None, at(0)).remaining, 1);
}

#[test]
fn other_algorithms_keep_what_was_charged_when_a_request_ends() {
    let mut limits = [Limiter::new(tokens(1, 1))];
    let (mut first, _) = enter(&mut limits, None);
    limits[0].release(&mut first, at(0));
    assert_eq!(limits[0].view(None, at(0)).remaining, 0);
}
