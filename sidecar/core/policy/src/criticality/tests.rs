use super::*;

#[test]
fn words_are_read_as_they_are_written() {
    for class in Criticality::ALL {
        assert_eq!(Criticality::parse(class.as_str()), Some(class));
    }
    assert_eq!(Criticality::parse("Critical"), None);
}
