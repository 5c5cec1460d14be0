use policy::Percent;

use super::fraction;

#[test]
fn a_rate_is_told_as_a_fraction_of_one() {
    for (millionths, text) in [
        (0, "0"),
        (1, "0.000001"),
        (375_000, "0.375"),
        (1_000_000, "1"),
    ] {
        assert_eq!(fraction(Percent::from_millionths(millionths)), text);
    }
}
