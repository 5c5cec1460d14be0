//! The corpus, case by case: read whole, at one byte a read, and at every single split.
#![allow(clippy::panic, reason = "a test's way to fail")]

mod support;

use std::collections::HashSet;

use http1::Cause;
use support::conversation::{End, Outcome, Side, play};
use support::corpus::{self, Case};

/// A case longer than this is split at every so many bytes only.
const EVERY_SPLIT_UP_TO: usize = 2_000;
const SPLITS_OF_LONG_CASES: usize = 97;

#[test]
fn requests_end_as_the_corpus_says() {
    let cases = corpus::read("requests.txt");
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    for case in &cases {
        check(case, Side::Requests, Cause::status);
    }
}

#[test]
fn responses_end_as_the_corpus_says() {
    let cases = corpus::read("responses.txt");
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    for case in &cases {
        check(case, Side::Responses(case.asked()), |_| 502);
    }
}

#[test]
fn names_of_cases_are_unique() {
    for file in ["requests.txt", "responses.txt"] {
        let mut names = HashSet::new();
        for case in corpus::read(file) {
            assert!(names.insert(case.name.clone()), "{} twice", case.name);
        }
    }
}

#[test]
fn every_cause_has_a_case_and_a_name_of_its_own() {
    let cases: Vec<_> = ["requests.txt", "responses.txt"]
        .into_iter()
        .flat_map(corpus::read)
        .collect();
    let mut names = HashSet::new();
    for cause in Cause::ALL {
        assert!(names.insert(cause.as_str()), "{cause} twice");
        // The corpus says `cut` where the peer closes too early.
        let is_told = |case: &Case| case.expect().split(' ').any(|word| word == cause.as_str());
        assert!(
            *cause == Cause::Truncated || cases.iter().any(is_told),
            "{cause}"
        );
    }
}

fn check(case: &Case, side: Side, status: impl Fn(Cause) -> u16) {
    let name = &case.name;
    let whole = play(side, &case.bytes, []);
    assert_eq!(describe(&whole, status), case.expect(), "{name}");
    check_head(case, &whole);
    for (key, got) in [("body", &whole.body), ("trailers", &whole.trailers)] {
        if let Some(wanted) = case.bytes_of(key) {
            assert_eq!(got, &wanted, "{key} of {name}");
        }
    }
    let len = case.bytes.len();
    assert_eq!(
        play(side, &case.bytes, 1..len),
        whole,
        "{name}, one byte a read"
    );
    let step = if len > EVERY_SPLIT_UP_TO {
        len / SPLITS_OF_LONG_CASES
    } else {
        1
    };
    for split in (1..len).step_by(step) {
        assert_eq!(
            play(side, &case.bytes, [split]),
            whole,
            "{name}, split at {split}"
        );
    }
}

/// The outcome in the corpus' words.
fn describe(outcome: &Outcome, status: impl Fn(Cause) -> u16) -> String {
    match outcome.end {
        End::Whole => format!("accept {}", outcome.count),
        End::Cut => "cut".to_owned(),
        End::RefusedAtHead(cause) => format!("refuse {} {cause}", status(cause)),
        End::RefusedInBody(cause) => format!("refuse {} {cause} in body", status(cause)),
    }
}

fn check_head(case: &Case, outcome: &Outcome) {
    let heads: Vec<_> = outcome
        .heads
        .iter()
        .map(|head| String::from_utf8_lossy(head))
        .collect();
    let last = heads.last().map_or("", |head| head.as_ref());
    let mut lines = last.split("\r\n");
    for line in case.list_of("line", "\n") {
        assert_eq!(lines.next(), Some(line), "{}", case.name);
    }
    for present in case.list_of("present", " ; ") {
        assert!(
            last.split("\r\n").any(|line| line == present),
            "{}: {last}",
            case.name
        );
    }
    for absent in case.list_of("absent", ",") {
        let prefix = format!("\r\n{absent}:");
        let has = |head: &str| head.to_ascii_lowercase().contains(&prefix);
        assert!(
            !heads.iter().any(|head| has(head)),
            "{}: {heads:?}",
            case.name
        );
    }
}
