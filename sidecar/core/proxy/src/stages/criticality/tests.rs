use policy::Criticality;

use super::of;
use crate::config::{Class, PathMatch, RequestMatch};
use crate::report::{Direction, Question};

fn request(path: &str, headers: &[(&str, &str)]) -> Question {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Question {
        direction: Direction::Inbound,
        service: crate::ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: path.into(),
        headers: headers.iter().map(owned).collect(),
    }
}

fn class(criticality: Criticality, prefix: &str) -> Class {
    let path = Some(PathMatch::Prefix(prefix.into()));
    let matches = vec![RequestMatch {
        path,
        ..RequestMatch::default()
    }];
    Class {
        criticality,
        matches,
    }
}

#[test]
fn the_first_class_that_matches_tells_and_without_one_it_is_the_default() {
    let classes = [
        class(Criticality::Critical, "/checkout"),
        class(Criticality::Sheddable, "/"),
    ];
    assert_eq!(
        of(&classes, &request("/checkout/7", &[])),
        Criticality::Critical
    );
    assert_eq!(of(&classes, &request("/", &[])), Criticality::Sheddable);
    assert_eq!(of(&classes[..1], &request("/", &[])), Criticality::Default);
}

#[test]
fn what_a_request_says_of_itself_is_not_believed() {
    let boasting = request("/", &[("breakwater-criticality", "critical")]);
    assert_eq!(of(&[], &boasting), Criticality::Default);
    let classes = [class(Criticality::Background, "/")];
    assert_eq!(of(&classes, &boasting), Criticality::Background);
}
