//! What the application sees of a request that was made to the sidecar, and how its answer is read.

use super::*;

fn passed(fields: &str) -> String {
    passed_on(fields, "10.0.0.5:15090".parse().unwrap())
}

#[test]
fn what_the_kubelet_was_told_to_say_is_passed_on() {
    let fields =
        "Host: 10.0.0.5:15090\r\nUser-Agent: kube-probe/1.33\r\nX-Token: a b\r\nConnection: close";
    assert_eq!(
        passed(fields),
        "User-Agent: kube-probe/1.33\r\nX-Token: a b\r\n"
    );
    assert_eq!(passed("host: cart.shop"), "host: cart.shop\r\n");
    assert_eq!(passed(""), "");
}

#[test]
fn what_would_be_another_message_is_not() {
    for field in [
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Transfer-Encoding : chunked",
        "X: a\n\nGET /admin HTTP/1.1",
        "no field",
        ": nameless",
    ] {
        assert_eq!(passed(field), "", "{field:?}");
    }
}

#[test]
fn a_status_line_says_its_status() {
    assert_eq!(status("HTTP/1.1 204 No Content\r\n"), Some(204));
    assert_eq!(status("HTTP/1.0 500\r\n"), Some(500));
    for line in [
        "",
        "HTTP/2 200\r\n",
        "SSH-2.0-server\r\n",
        "HTTP/1.1 OK\r\n",
    ] {
        assert_eq!(status(line), None);
    }
}
