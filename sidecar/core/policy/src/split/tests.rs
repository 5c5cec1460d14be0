use super::*;

fn turns(weights: &[u32], count: usize) -> Vec<usize> {
    let mut turns = Turns::default();
    (0..count)
        .map(|_| turns.next(weights.len(), |at| weights[at]).unwrap())
        .collect()
}

#[test]
fn turns_are_spread_evenly() {
    assert_eq!(turns(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn any_stretch_of_the_whole_weight_is_exact() {
    let chosen = turns(&[90, 60, 0, 30], 60);
    for stretch in chosen.windows(6) {
        let counts = [0, 1, 2, 3].map(|at| stretch.iter().filter(|&&one| one == at).count());
        assert_eq!(counts, [3, 2, 0, 1]);
    }
}

#[test]
fn nobody_with_a_weight_is_nobody_chosen() {
    let mut turns = Turns::default();
    assert_eq!(turns.next(0, |_| 1), None);
    assert_eq!(turns.next(2, |_| 0), None);
}

#[test]
fn who_sits_out_keeps_its_credit() {
    let mut turns = Turns::default();
    let first = turns.next(2, |_| 1).unwrap();
    let alone = turns.next(2, |at| u32::from(at == first)).unwrap();
    assert_eq!((first, alone), (0, 0));
    let rest: Vec<_> = (0..2).map(|_| turns.next(2, |_| 1).unwrap()).collect();
    assert_eq!(rest, [1, 0]);
}
