use super::*;

#[test]
fn every_spelling_of_a_condition_is_understood() {
    let cases = [
        ("ConnectFailure", Condition::ConnectFailure),
        ("PerTryTimeout", Condition::PerTryTimeout),
        ("RefusedStream", Condition::RefusedStream),
        ("Reset", Condition::Reset),
        ("503", Condition::Status(503)),
        ("429", Condition::Status(429)),
        ("5xx", Condition::StatusClass(5)),
        ("Unavailable", Condition::Code(Code::Unavailable)),
        ("DeadlineExceeded", Condition::Code(Code::DeadlineExceeded)),
    ];
    for (word, condition) in cases {
        assert_eq!(word.parse(), Ok(condition));
    }
}

#[test]
fn other_words_are_refused_by_name() {
    for word in [
        "",
        "reset",
        "600",
        "99",
        "6xx",
        "50",
        "+50",
        "5xxx",
        "Ok",
        "é",
        "UNAVAILABLE",
    ] {
        let problem = word.parse::<Condition>().unwrap_err();
        assert!(
            problem.to_string().ends_with(&format!("found {word:?}")),
            "{problem}"
        );
    }
}

#[test]
fn a_set_holds_what_was_put_in_and_nothing_else() {
    let set = Conditions::parse(["Reset", "5xx", "429", "Unavailable"]).unwrap();
    let held = (100..600).filter(|&status| set.contains(Condition::Status(status)));
    assert!(held.eq(std::iter::once(429).chain(500..600)));
    assert!(set.contains(Condition::Reset) && !set.contains(Condition::ConnectFailure));
    assert!(set.contains(Condition::Code(Code::Unavailable)));
    assert!(!set.contains(Condition::Code(Code::Internal)));
    assert!(set.contains(Condition::StatusClass(5)) && !set.contains(Condition::StatusClass(4)));
}

#[test]
fn statuses_out_of_range_are_in_no_set() {
    let set = Conditions::parse(["1xx", "2xx", "3xx", "4xx", "5xx"]).unwrap();
    assert!(!set.contains(Condition::Status(99)) && !set.contains(Condition::Status(600)));
}
