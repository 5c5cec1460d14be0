use super::*;

#[test]
fn words_are_read_as_they_are_written() {
    for class in Criticality::ALL {
        assert_eq!(Criticality::parse(class.as_str()), Some(class));
    }
    assert_eq!(Criticality::parse("Critical"), None);
}

#[test]
fn what_matters_less_comes_least_important_first() {
    let below: Vec<_> = Criticality::Critical.below().collect();
    let expected = [
        Criticality::Background,
        Criticality::Sheddable,
        Criticality::Default,
    ];
    assert_eq!(below, expected);
    assert_eq!(Criticality::Background.below().count(), 0);
}
