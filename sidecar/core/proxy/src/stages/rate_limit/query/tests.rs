use super::value;
use crate::report::{Direction, Question};

fn of(query: &str) -> Option<String> {
    let question = Question {
        direction: Direction::Inbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: format!("/?{query}"),
        headers: Vec::new(),
    };
    value(&question, "q").map(|value| String::from_utf8_lossy(&value).into_owned())
}

#[test]
fn a_value_is_the_same_however_it_is_escaped() {
    for query in ["q=a@b", "q=a%40b", "x&q=%61%40%62&q=c", "%71=a@b"] {
        assert_eq!(of(query).as_deref(), Some("a@b"), "{query}");
    }
    assert_eq!(of("q=a+b"), of("q=a%20b"));
    assert_ne!(of("q=a%2Bb"), of("q=a+b"));
}

#[test]
fn what_begins_no_escape_stays_as_it_is() {
    for (query, expected) in [("q=50%", "50%"), ("q=%4", "%4"), ("q=%zz%41", "%zzA")] {
        assert_eq!(of(query).as_deref(), Some(expected));
    }
}

#[test]
fn a_name_alone_is_there_and_empty_and_one_that_is_longer_is_another() {
    assert_eq!(of("q").as_deref(), Some(""));
    assert_eq!(of("q=").as_deref(), Some(""));
    assert_eq!((of("qq=1&xq=1"), of("")), (None, None));
}
