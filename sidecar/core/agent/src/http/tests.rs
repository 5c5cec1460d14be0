//! What is understood as a request.

use super::*;

#[test]
fn a_whole_get_names_its_path() {
    assert_eq!(
        target(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Some("/metrics")
    );
    assert_eq!(target(b"GET /live HTTP/1.0\r\n\r\n"), Some("/live"));
}

#[test]
fn only_ports_that_are_probed_may_be_asked_about() {
    let probed = [8080, 9000];
    assert_eq!(probed_port("/probe/9000", &probed), Some(9000));
    for path in ["/probe/22", "/probe/", "/probe/x", "/probe/9000/", "/9000"] {
        assert_eq!(probed_port(path, &probed), None);
    }
}

#[test]
fn anything_else_names_nothing() {
    for head in [
        &b"POST /live HTTP/1.1\r\n\r\n"[..],
        b"GET /live HTTP/1.1\r\n",
        b"\xff\r\n\r\n",
        b"",
        b"GET /live\r\n\r\n",
    ] {
        assert_eq!(target(head), None);
    }
}
