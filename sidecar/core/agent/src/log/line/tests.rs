//! The form of a line.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_line_is_one_json_object() {
    let line = encode(
        at(0),
        "info",
        "resource refused",
        &[("field", &"a.b"), ("count", &3)],
    );
    let expected = "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"event\":\"resource refused\",\
                    \"field\":\"a.b\",\"count\":\"3\"}\n";
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn nothing_in_a_value_ends_the_line_or_the_string() {
    let line =
        String::from_utf8(encode(at(0), "info", "x", &[("v", &"a\"\\\r\n\u{1b}[31m")])).unwrap();
    assert!(
        line.ends_with("\"v\":\"a\\\"\\\\\\u000d\\u000a\\u001b[31m\"}\n"),
        "{line}"
    );
}

#[test]
fn dates_follow_the_calendar() {
    let cases = [
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (1_709_164_799, "2024-02-28T23:59:59.000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ];
    for (seconds, expected) in cases {
        assert_eq!(timestamp(at(seconds)), expected);
    }
}
