//! First bytes, whole and in part.

use super::*;

#[test]
fn first_bytes_say_what_is_spoken() {
    for (bytes, speech) in [
        (&b"GET / HTTP/1.1\r\n"[..], Speech::Http1),
        (b"GET /", Speech::Http1),
        (b"\r\n\r\nPOST http://a/ HTTP/1.0\r\n", Speech::Http1),
        (b"OPTIONS * HTTP/1.1\r\n", Speech::Http1),
        (b"CONNECT cart.shop:80", Speech::Http1),
        (b"PROPFIND /a HTTP/1.1\r\n", Speech::Http1),
        (b"get / http/1.1\n", Speech::Http1),
        (PREFACE, Speech::Http2),
        (b"\x16\x03\x01\x02\x00\x01", Speech::Opaque),
        (b"\x00", Speech::Opaque),
        (b"EHLO mail.example\r\n", Speech::Opaque),
        (b"GET key\r\n", Speech::Opaque),
        (b"QUIT\r\n", Speech::Opaque),
        (b" /", Speech::Opaque),
        (b"*1\r\n$4\r\nPING\r\n", Speech::Opaque),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Speech::Opaque),
    ] {
        assert_eq!(
            judge(bytes),
            speech,
            "{:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

#[test]
fn what_may_yet_be_http_is_undecided() {
    for whole in [PREFACE, b"GET /", b"\r\nPROPFIND /a HTTP/1.1\r\n"] {
        for end in 0..whole.len() {
            let speech = judge(&whole[..end]);
            assert_eq!(
                speech,
                Speech::Undecided,
                "{end} of {:?}",
                whole.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn nothing_is_undecided_for_long() {
    let line = [b"X ".as_slice(), &[b'y'; LONGEST_LINE]].concat();
    assert_eq!(judge(&line), Speech::Http1);
    assert_eq!(judge(&[b'X'; LONGEST_METHOD + 1]), Speech::Opaque);
}
