//! What is understood as a request.

use super::*;

#[test]
fn a_whole_get_names_its_path() {
    assert_eq!(
        asked(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"),
        Some(("/metrics?x=1", "Host: a\r\nB: c"))
    );
    assert_eq!(
        asked(b"GET /live HTTP/1.0\r\n\r\nGET /ready HTTP/1.0\r\n\r\n"),
        Some(("/live", ""))
    );
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
fn over_tls_only_paths_are_asked_for_that_are_probed() {
    let known = [(8443, "/live?full=1".to_owned()), (8444, "/".to_owned())];
    let found = probed_over_tls("/probe/8443/live?full=1", &known);
    assert_eq!(found, Some((8443, "/live?full=1")));
    assert_eq!(probed_over_tls("/probe/8444/", &known), Some((8444, "/")));
    for target in [
        "/probe/8443/live",
        "/probe/8443",
        "/probe/8444",
        "/probe/8444/live?full=1",
    ] {
        assert_eq!(probed_over_tls(target, &known), None);
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
        assert_eq!(asked(head), None);
    }
}
