//! What of an application's measurements is shown.

use super::*;

fn shown(text: &str) -> (String, usize) {
    let (lines, dropped) = admitted(text.as_bytes());
    (String::from_utf8(lines).unwrap(), dropped)
}

#[test]
fn what_is_well_formed_is_shown_as_it_is() {
    let text = "# HELP a_total things, \"so\" said\n# TYPE a_total counter\na_total 1\n\
                a:b{x=\"1\", y=\"a\\\\b\\\"c\\n}\",} +Inf 1700000000000\nnothing{} NaN\n_x\t-1.5e-3\n";
    assert_eq!(shown(text), (text.to_owned(), 0));
}

#[test]
fn what_would_spoil_the_page_is_left_out() {
    for line in [
        "words without a number",
        "a",
        "a{x=\"1\" 2",
        "a{x=1} 2",
        "a{x=\"1\",x=\"2\"} 3",
        "a{x=\"1\"y=\"2\"} 3",
        "a{x=\"\\t\"} 3",
        "a{1x=\"1\"} 3",
        "a{x=\"1\"} 3 4 5",
        "a{x=\"1\"} 3 soon",
        "1a 2",
        "é 2",
        "# a comment",
        "# EOF",
        "# TYPE a thing",
        "a 1 # {trace_id=\"x\"} 1",
    ] {
        assert_eq!(shown(line), (String::new(), 1), "{line}");
    }
    assert_eq!(
        admitted(b"a{x=\"\xff\"} 1\nb 2\r\n"),
        (b"b 2\n".to_vec(), 1)
    );
}

#[test]
fn nobody_speaks_in_our_name() {
    let text = "breakwater_requests_total 1\n# TYPE breakwater_x gauge\n# HELP breakwater_x y\nmy_breakwater_x 1\n";
    assert_eq!(shown(text), ("my_breakwater_x 1\n".to_owned(), 3));
}

#[test]
fn only_whole_and_good_answers_have_a_body() {
    let answer = |text: &str| body(text.as_bytes().to_vec());
    assert_eq!(
        answer("HTTP/1.0 200 OK\r\n\r\na 1\n"),
        Some(b"a 1\n".to_vec())
    );
    assert_eq!(answer("HTTP/1.1 200 OK\r\nx: y\r\n\r\n"), Some(Vec::new()));
    for bad in [
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1 404 no\r\n\r\na 1",
        "HTTP/1.1 200 OK\r\n",
        "SSH-2\r\n\r\n",
        "",
    ] {
        assert_eq!(answer(bad), None, "{bad}");
    }
    let mut huge = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    huge.resize(MOST_BYTES, b'\n');
    assert_eq!(body(huge), None);
}
