//! Where a body ends, and what closing before that means.

use http1::{BodyDecoder, Cause, Fields, Framing, Limits, Step};

fn decoder(framing: Framing) -> BodyDecoder {
    BodyDecoder::new(framing, b"", &Fields::default(), &Limits::default())
}

#[test]
fn a_known_length_is_done_with_its_last_byte() {
    let mut body = decoder(Framing::Length(3));
    assert_eq!(body.decode(b"ab"), Ok(Step::Data(0..2)));
    assert!(!body.is_done());
    assert_eq!(body.decode(b"cGET"), Ok(Step::Data(0..1)));
    assert!(body.is_done());
    assert_eq!(body.decode(b"GET"), Ok(Step::Done(0)));
}

#[test]
fn no_body_is_done_before_any_byte() {
    assert!(decoder(Framing::None).is_done());
    assert_eq!(decoder(Framing::None).decode(b"GET"), Ok(Step::Done(0)));
}

#[test]
fn closing_ends_only_what_closing_delimits() {
    assert_eq!(decoder(Framing::Close).close(), Ok(()));
    assert_eq!(decoder(Framing::Length(0)).close(), Ok(()));
    assert_eq!(decoder(Framing::Length(1)).close(), Err(Cause::Truncated));
    assert_eq!(decoder(Framing::Chunked).close(), Err(Cause::Truncated));
}
