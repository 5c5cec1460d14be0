use std::time::{Duration, UNIX_EPOCH};

use super::{date, push_escaped, timestamp};

#[test]
fn days_become_dates_over_leap_years_and_centuries() {
    let days_and_dates = [
        (0, (1970, 1, 1)),
        (58, (1970, 2, 28)),
        (59, (1970, 3, 1)),
        (789, (1972, 2, 29)),
        (11_016, (2000, 2, 29)),
        (20_782, (2026, 11, 25)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ];
    for (days, expected) in days_and_dates {
        assert_eq!(date(days), expected, "{days}");
    }
}

#[test]
fn instants_are_told_to_the_millisecond() {
    let at = UNIX_EPOCH + Duration::from_millis(1_795_608_123_045);
    assert_eq!(timestamp(at), "2026-11-25T12:02:03.045Z");
}

#[test]
fn what_would_end_a_string_or_its_line_is_escaped_wherever_it_stands() {
    for (text, expected) in [
        ("", ""),
        ("plain é", "plain é"),
        ("\"a\\b\"", r#"\"a\\b\""#),
        ("a\n\u{85}b\0", r"a\u000a\u0085b\u0000"),
    ] {
        let mut line = String::new();
        push_escaped(&mut line, text);
        assert_eq!(line, expected);
    }
}
