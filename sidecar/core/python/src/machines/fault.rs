//! What stands of rehearsals that combine.

use policy::fault::{Contribution, Effects, Merge, fold, turn};
use pyo3::prelude::*;

use super::words::parse;

const EFFECTS: [(&str, Effects); 3] = [
    ("delay", Effects::DELAY),
    ("abort", Effects::ABORT),
    ("bandwidth", Effects::BANDWIDTH),
];

/// One rehearsal, as `sidecar/machines/` has it.
#[derive(FromPyObject)]
struct Rehearsal {
    merge: String,
    specificity: u32,
    age: u32,
    effects: Vec<String>,
}

impl Rehearsal {
    fn read(&self) -> PyResult<(Contribution, (u32, bool, u32))> {
        let table = Merge::ALL.map(|merge| (merge.as_str(), merge));
        let merge = parse(&self.merge, &table)?;
        let mut effects = Effects::default();
        for word in &self.effects {
            effects = effects | parse(word, &EFFECTS)?;
        }
        let contribution = Contribution { merge, effects };
        Ok((contribution, turn(merge, self.specificity, self.age)))
    }
}

#[pyfunction]
fn standing_rehearsals(rehearsals: Vec<Rehearsal>) -> PyResult<Vec<Vec<&'static str>>> {
    let read: Vec<_> = rehearsals
        .iter()
        .map(Rehearsal::read)
        .collect::<PyResult<_>>()?;
    let mut places: Vec<usize> = (0..read.len()).collect();
    places.sort_by_key(|&place| read[place].1);
    let mut folded: Vec<_> = places.iter().map(|&place| read[place].0).collect();
    fold(&mut folded);
    let mut standing = vec![Vec::new(); read.len()];
    for (place, left) in places.into_iter().zip(folded) {
        let stands = EFFECTS.iter().filter(|row| left.effects.contain(row.1));
        standing[place] = stands.map(|row| row.0).collect();
    }
    Ok(standing)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(standing_rehearsals, module)?)
}
