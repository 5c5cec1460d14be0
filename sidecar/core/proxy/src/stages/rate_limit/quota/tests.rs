use std::borrow::Cow;
use std::rc::Rc;

use policy::rate_limit::{Algorithm, Left, Rate, Share};

use super::{Label, Quota};
use crate::config::LimitHeaders;
use crate::stages::rescue::Answer;

const SECOND_NS: u64 = 1_000_000_000;

fn left(remaining: u64, more_after_ns: u64) -> Left {
    Left {
        remaining,
        more_after_ns: Some(more_after_ns),
    }
}

fn bucket(requests: u64, per_ns: u64) -> Algorithm {
    Algorithm::TokenBucket {
        rate: Rate::new(requests, per_ns),
        burst: None,
    }
}

fn label(headers: LimitHeaders, name: &str, algorithm: &Algorithm) -> Rc<Label> {
    Rc::new(Label::new(headers, name, algorithm))
}

fn told(quota: &Quota) -> Vec<(Cow<'static, str>, String)> {
    let mut answer = Answer {
        status: 200,
        fields: Vec::new(),
        body: String::new(),
    };
    quota.tell(&mut answer);
    answer.fields
}

#[test]
fn every_limit_is_told_the_most_restrictive_first() {
    let mut quota = Quota::default();
    let rate = bucket(100, SECOND_NS);
    quota.note(
        &label(LimitHeaders::Standard, "total", &rate),
        left(70, SECOND_NS / 100),
    );
    quota.note(
        &label(LimitHeaders::Standard, "per-user", &rate),
        left(39, 0),
    );
    let expected = [
        (
            "ratelimit-policy".into(),
            "\"per-user\";q=100;w=1, \"total\";q=100;w=1".to_owned(),
        ),
        (
            "ratelimit".into(),
            "\"per-user\";r=39;t=0, \"total\";r=70;t=1".to_owned(),
        ),
    ];
    assert_eq!(told(&quota), expected);
}

#[test]
fn a_window_below_a_second_is_left_out() {
    let mut quota = Quota::default();
    let rate = bucket(1, SECOND_NS / 2);
    quota.note(&label(LimitHeaders::Standard, "burst", &rate), left(1, 0));
    assert_eq!(told(&quota)[0].1, "\"burst\";q=1");
}

#[test]
fn what_is_in_flight_has_a_unit_and_no_time() {
    let mut quota = Quota::default();
    let limit = Algorithm::Concurrency(Share::new(50, 1));
    let unknown = Left {
        more_after_ns: None,
        ..left(49, 0)
    };
    quota.note(&label(LimitHeaders::Both, "in-flight", &limit), unknown);
    let expected = [
        (
            "ratelimit-policy".into(),
            "\"in-flight\";q=50;qu=\"concurrent-requests\"".to_owned(),
        ),
        ("ratelimit".into(), "\"in-flight\";r=49".to_owned()),
        ("x-ratelimit-limit".into(), "50".to_owned()),
        ("x-ratelimit-remaining".into(), "49".to_owned()),
    ];
    assert_eq!(told(&quota), expected);
}

#[test]
fn the_older_form_and_silence_are_told_as_asked() {
    let rate = bucket(100, 60 * SECOND_NS);
    let mut quota = Quota::default();
    quota.note(&label(LimitHeaders::None, "hidden", &rate), left(1, 0));
    assert!(told(&quota).is_empty());
    quota.note(
        &label(LimitHeaders::Legacy, "old", &rate),
        left(2, 3 * SECOND_NS),
    );
    let expected = [
        ("x-ratelimit-limit".into(), "100".to_owned()),
        ("x-ratelimit-remaining".into(), "2".to_owned()),
        ("x-ratelimit-reset".into(), "3".to_owned()),
    ];
    assert_eq!(told(&quota), expected);
}
