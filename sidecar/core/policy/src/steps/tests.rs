use super::*;

#[test]
fn steps_grow_with_the_latency_and_extremes_stay_inside() {
    assert_eq!(
        (step_of(0), step_of(1), step_of(u64::MAX)),
        (0, 0, STEPS - 1)
    );
    for step in 0..STEPS {
        assert_eq!(step_of(middle_of(step)), step);
    }
}
