use super::{LOOKS, Vigil};

fn looks(vigil: &mut Vigil, beats: u64) -> Vec<bool> {
    (0..LOOKS).map(|_| vigil.is_over(beats)).collect()
}

#[test]
fn a_loop_that_goes_round_is_never_given_up() {
    let mut vigil = Vigil::default();
    assert!((1..100).all(|beats| !vigil.is_over(beats)));
}

#[test]
fn nobody_is_waited_for_who_has_not_begun() {
    assert!(!looks(&mut Vigil::default(), 0).contains(&true));
}

#[test]
fn a_loop_that_stands_still_is_given_up_after_so_many_looks_and_again() {
    let mut vigil = Vigil::default();
    assert!(!vigil.is_over(7));
    for _ in 0..2 {
        let found = looks(&mut vigil, 7);
        assert_eq!(
            found.iter().position(|is_over| *is_over),
            Some(found.len() - 1)
        );
    }
}

#[test]
fn one_that_goes_on_in_time_is_waited_for_anew() {
    let mut vigil = Vigil::default();
    assert!((0..LOOKS).all(|_| !vigil.is_over(7)));
    assert!((0..LOOKS).all(|_| !vigil.is_over(8)));
    assert!(vigil.is_over(8));
}
