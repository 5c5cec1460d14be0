//! What a caller reads from a head, and what it may do to one.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use http1::{
    Asked, Authority, Framing, HeadWriter, Known, Limits, Method, RequestHead, RequestParser,
    ResponseHead, ResponseParser, TargetForm, Version, is_same_host,
};

fn request(bytes: &[u8]) -> RequestHead {
    let mut head = RequestHead::default();
    let length = RequestParser::new(Limits::default()).parse(bytes, &mut head);
    assert_eq!(length, Ok(Some(bytes.len())));
    head
}

fn response(bytes: &[u8]) -> ResponseHead {
    let mut head = ResponseHead::default();
    let mut parser = ResponseParser::new(Limits::default(), Asked::default());
    assert_eq!(parser.parse(bytes, &mut head), Ok(Some(bytes.len())));
    head
}

fn response_sent(bytes: &[u8], edit: impl FnOnce(&mut HeadWriter, &ResponseHead)) -> String {
    let head = response(bytes);
    let mut writer = HeadWriter::default();
    writer.begin(&head.fields);
    edit(&mut writer, &head);
    let mut out = Vec::new();
    writer.copy_to(bytes, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn request_head_is_ranges_of_the_buffer() {
    let read = b"GET /a/b?c=d HTTP/1.1\r\nHost: Svc.ns:8080\r\nX-Request-Id: 7\r\nAccept: a\r\naccept: b\r\n\r\n";
    let head = request(read);
    assert_eq!((head.method, head.form), (Method::Get, TargetForm::Origin));
    assert_eq!(head.target.of(read), b"/a/b?c=d");
    assert_eq!(head.path(read), b"/a/b");
    assert_eq!(head.authority.of(read), b"Svc.ns:8080");
    assert_eq!(
        (head.host.of(read), head.port),
        (&b"Svc.ns"[..], Some(8080))
    );
    assert_eq!(head.fields.value(read, Known::XRequestId), Some(&b"7"[..]));
    assert!(head.fields.is_repeated(Known::Accept));
    assert!(head.fields.values(read, Known::Accept).eq([b"a", b"b"]));
    assert_eq!(head.fields.search(read, b"x-REQUEST-id"), Some(&b"7"[..]));
    assert_eq!(head.fields.value(read, Known::Cookie), None);
}

#[test]
fn a_head_forgets_the_message_before_it() {
    let mut parser = RequestParser::new(Limits::default());
    let mut head = RequestHead::default();
    let first =
        b"POST http://svc/ HTTP/1.1\r\nHost: svc\r\nConnection: close\r\nContent-Length: 1\r\n\r\n";
    parser.parse(first, &mut head).unwrap();
    assert_eq!((head.framing, head.keep_alive), (Framing::Length(1), false));
    let second = b"GET /b HTTP/1.1\r\nHost: svc\r\n\r\n";
    parser.parse(second, &mut head).unwrap();
    assert_eq!((head.framing, head.keep_alive), (Framing::None, true));
    assert_eq!((head.form, head.fields.len()), (TargetForm::Origin, 1));
    assert!(!head.fields.has(Known::ContentLength));
}

#[test]
fn absolute_form_without_path_matches_as_a_slash() {
    let read = b"GET http://svc HTTP/1.1\r\nHost: svc\r\n\r\n";
    assert_eq!(request(read).path(read), b"/");
}

#[test]
fn an_untouched_request_is_one_piece() {
    let read = b"GET / HTTP/1.1\r\nHost: svc\r\nAccept: */*\r\n\r\n";
    let head = request(read);
    let mut writer = HeadWriter::default();
    writer.begin(&head.fields);
    writer.finish_request(read, &head, head.framing);
    assert!(writer.pieces(read).eq([&read[..]]));
}

#[test]
fn a_replayed_body_gets_a_length() {
    let read = b"POST / HTTP/1.1\r\nHost: svc\r\nTransfer-Encoding: chunked\r\n\r\n";
    let head = request(read);
    let (mut writer, mut out) = (HeadWriter::default(), Vec::new());
    writer.begin(&head.fields);
    writer.finish_request(read, &head, Framing::Length(12));
    writer.copy_to(read, &mut out);
    assert_eq!(
        out,
        b"POST / HTTP/1.1\r\nHost: svc\r\ncontent-length: 12\r\n\r\n"
    );
}

#[test]
fn an_added_value_cannot_end_its_line() {
    let sent = response_sent(b"HTTP/1.1 204 No\r\n\r\n", |writer, head| {
        writer.add("x-a", b"b\r\nevil: 1\x00");
        writer.finish_response(b"", head, head.framing, false);
    });
    assert!(sent.ends_with("x-a: b  evil: 1 \r\n\r\n"), "{sent}");
}

#[test]
fn an_http10_downstream_gets_no_chunks() {
    let read = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: a\r\n\r\n";
    let sent = response_sent(read, |writer, head| {
        let framing = head.framing.towards(Version::Http10);
        writer.finish_response(read, head, framing, false);
    });
    assert_eq!(sent, "HTTP/1.1 200 OK\r\nX: a\r\nconnection: close\r\n\r\n");
}

#[test]
fn a_field_set_replaces_every_one_of_its_name() {
    let read =
        b"HTTP/1.1 200 OK\r\nRetry-After: 1\r\nX: a\r\nretry-after: 2\r\nContent-Length: 0\r\n\r\n";
    let sent = response_sent(read, |writer, head| {
        writer.set(&head.fields, Known::RetryAfter, b"3");
        writer.add_number("breakwater-attempts", 2);
        writer.finish_response(read, head, head.framing, true);
    });
    let wanted = "HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 0\r\nretry-after: 3\r\nbreakwater-attempts: 2\r\n\
        connection: close\r\n\r\n";
    assert_eq!(sent, wanted);
}

#[test]
fn a_field_left_out_by_name_is_gone_wherever_it_came_from() {
    let read = b"HTTP/1.1 204 No\r\nX-A: 1\r\nX-AB: 2\r\n\r\n";
    let sent = response_sent(read, |writer, head| {
        writer.add("x-a", b"3");
        writer.add("x-ab", b"x-a: 4");
        writer.remove_named(read, &head.fields, b"x-a");
        writer.finish_response(read, head, head.framing, false);
    });
    assert_eq!(sent, "HTTP/1.1 204 No\r\nX-AB: 2\r\nx-ab: x-a: 4\r\n\r\n");
}

#[test]
fn end_to_end_fields_are_what_a_translation_passes_on() {
    let read = b"GET / HTTP/1.1\r\nHost: svc\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\nTE: trailers\r\n\r\n";
    let head = request(read);
    let names = head.fields.end_to_end().map(|field| field.name.of(read));
    assert!(names.eq([&b"Host"[..], b"X-B"]));
    assert!(head.takes_trailers);
}

#[test]
fn http10_requests_do_not_persist() {
    let asks = b"GET / HTTP/1.0\r\nHost: svc\r\nConnection: keep-alive\r\n\r\n";
    assert!(!request(asks).keep_alive);
    assert!(request(b"GET / HTTP/1.1\r\nHost: svc\r\n\r\n").keep_alive);
}

#[test]
fn http10_responses_persist_only_if_they_say_so() {
    let asks = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
    let silent = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert!(response(asks).keep_alive);
    assert!(!response(silent).keep_alive);
    assert!(!response(b"HTTP/1.1 200 OK\r\n\r\n").keep_alive);
}

#[test]
fn hosts_are_one_name_in_any_case_and_with_the_roots_dot() {
    assert!(is_same_host(b"Svc.ns.", b"svc.NS"));
    assert!(!is_same_host(b"svc.ns", b"svc"));
    let authority = Authority::parse(b"[::1]:80").unwrap();
    assert_eq!((authority.host, authority.port), (&b"[::1]"[..], Some(80)));
}
