//! What the table tests cannot see from outside: how often a byte is looked at.

use super::Lines;
use crate::{Cause, Span};

#[test]
fn bytes_looked_at_are_not_looked_at_again() {
    let mut lines = Lines::default();
    let mut buf = b"GET / HTTP/1.1".to_vec();
    assert_eq!(lines.next(&buf, 100, Cause::HeadTooLarge), Ok(None));
    // A line end behind what was searched is not seen: the search went on from where it stopped.
    buf[4] = b'\n';
    buf.extend_from_slice(b"\r\n");
    let line = lines.next(&buf, 100, Cause::HeadTooLarge);
    assert_eq!(line, Ok(Some(Span::new(0, 14))));
}

#[test]
fn a_line_that_ends_at_the_limit_is_taken() {
    let take = |limit| Lines::default().next(b"abc\r\n", limit, Cause::HeadTooLarge);
    assert_eq!(take(5), Ok(Some(Span::new(0, 3))));
    assert_eq!(take(4), Err(Cause::HeadTooLarge));
}
