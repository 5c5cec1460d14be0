use http::Request;

use super::*;

fn checked(target: &str, fields: &[(&str, &str)]) -> Result<Parts, Cause> {
    let mut request = Request::get(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let (mut head, ()) = request.body(()).unwrap_or_default().into_parts();
    check(&mut head).map(|()| head)
}

fn cause(target: &str, fields: &[(&str, &str)]) -> Option<Cause> {
    checked(target, fields).err()
}

#[test]
fn an_authority_alone_will_do() {
    assert_eq!(cause("http://cart:80/", &[]), None);
}

#[test]
fn a_host_alone_becomes_the_authority() {
    let head = checked("/a?b", &[("host", "cart")]).ok();
    let target = head.as_ref().map(|head| head.uri.to_string());
    assert_eq!(target.as_deref(), Some("http://cart/a?b"));
    assert!(head.is_some_and(|head| head.headers.is_empty()));
}

#[test]
fn a_host_that_says_the_same_is_left_out() {
    let head = checked("http://cart/", &[("host", "CART:80")]).ok();
    assert!(head.is_some_and(|head| head.headers.is_empty()));
}

#[test]
fn hosts_that_can_be_misread_are_refused() {
    assert_eq!(
        cause("http://cart/", &[("host", "payments")]),
        Some(Cause::HostMismatch)
    );
    assert_eq!(
        cause("http://cart/", &[("host", "cart:81")]),
        Some(Cause::HostMismatch)
    );
    assert_eq!(cause("/", &[]), Some(Cause::HostMissing));
    assert_eq!(
        cause("/", &[("host", "cart"), ("host", "cart")]),
        Some(Cause::HostRepeated)
    );
    assert_eq!(cause("/", &[("host", "a,b")]), Some(Cause::HostInvalid));
    assert_eq!(cause("http://user@cart/", &[]), Some(Cause::HostInvalid));
}

#[test]
fn targets_that_can_be_misread_are_refused() {
    assert_eq!(cause("http://cart/a\"\u{e4}", &[]), Some(Cause::TargetByte));
    assert_eq!(cause("ftp://cart/", &[]), Some(Cause::TargetForm));
}

#[test]
fn a_connect_is_refused() {
    let request = Request::connect("cart:80").body(()).unwrap_or_default();
    let (mut head, ()) = request.into_parts();
    assert_eq!(check(&mut head), Err(Cause::TargetForm));
}

#[test]
fn lengths_that_are_repeated_are_refused_even_if_they_agree() {
    let fields = [("content-length", "2"), ("content-length", "2")];
    assert_eq!(cause("http://cart/", &fields), Some(Cause::LengthRepeated));
}

#[test]
fn every_crumb_of_a_cookie_counts_as_a_field() {
    let crumbs = vec![("cookie", "a=b"); MOST_FIELDS];
    assert_eq!(cause("http://cart/", &crumbs), None);
    let crumbs = vec![("cookie", "a=b"); MOST_FIELDS + 1];
    assert_eq!(cause("http://cart/", &crumbs), Some(Cause::TooManyFields));
}

#[test]
fn a_head_is_as_long_as_its_fields_with_what_each_costs() {
    let about = ":methodGET:schemehttp:authoritycart:path/".len() + 4 * 32;
    let field = |length: usize| "y".repeat(length - about - "x-long".len() - 32);
    let with = |value: &str| cause("http://cart/", &[("x-long", value)]);
    assert_eq!(with(&field(16 * 1024)), None);
    assert_eq!(with(&field(16 * 1024 + 1)), Some(Cause::HeadTooLarge));
    let target = format!("http://cart/{}", "y".repeat(16 * 1024));
    assert_eq!(cause(&target, &[]), Some(Cause::TargetTooLong));
}
