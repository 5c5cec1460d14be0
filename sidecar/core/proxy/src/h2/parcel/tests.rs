use super::*;

fn parcel(transit: &Rc<Transit>) -> Parcel {
    Parcel::new(Bytes::from_static(b"0123456789"), Some(transit))
}

#[test]
fn bytes_are_in_transit_until_they_are_written() {
    let transit = Rc::default();
    let mut parcel = parcel(&transit);
    assert_eq!(transit.unwritten(), 10);
    parcel.advance(4);
    assert_eq!(
        (transit.unwritten(), parcel.chunk()),
        (6, b"456789".as_slice())
    );
    parcel.advance(6);
    assert_eq!(transit.unwritten(), 0);
    drop(parcel);
    assert_eq!(transit.unwritten(), 0);
}

#[test]
fn what_is_dropped_is_in_transit_no_more() {
    let transit = Rc::default();
    let mut first = parcel(&transit);
    let second = parcel(&transit);
    first.advance(3);
    drop(first);
    assert_eq!(transit.unwritten(), 10);
    drop(second);
    assert_eq!(transit.unwritten(), 0);
}

#[test]
fn a_free_parcel_is_charged_to_nobody() {
    let mut parcel = Parcel::free(Bytes::from_static(b"01"));
    parcel.advance(1);
    assert_eq!(parcel.remaining(), 1);
}
