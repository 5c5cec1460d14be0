#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::{MESSAGE, STATUS, Status, encode};

#[test]
fn what_cannot_stand_in_a_header_is_encoded() {
    assert_eq!(
        encode("expected 'a', found 100 %"),
        "expected 'a', found 100 %25"
    );
    assert_eq!(encode("ä\n"), "%C3%A4%0A");
}

#[test]
fn status_without_words_has_none() {
    let fields = Status::of(0, "").fields();
    assert_eq!(fields.get(STATUS).unwrap(), "0");
    assert!(!fields.contains_key(MESSAGE));
}
