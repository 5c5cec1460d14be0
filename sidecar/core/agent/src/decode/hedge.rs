//! Second attempts beside slow ones.

use policy::Percent;
use policy::hedge::After;
use proxy::config::Hedge;

use super::Fault;
use super::read::{Under, required};
use super::resilience::budget;
use crate::mesh;

const UNITS: [(&str, u64); 4] = [
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

pub(super) fn decode(wire: mesh::Hedge) -> Result<Hedge, Fault> {
    let after = after(&wire.after).ok_or_else(|| {
        let found = &wire.after;
        Fault::new(
            "after",
            format!("expected a duration or a percentile, found {found}"),
        )
    })?;
    let budget = budget(required("budget", wire.budget)?).under("budget")?;
    Ok(Hedge { after, budget })
}

fn after(text: &str) -> Option<After> {
    match text.strip_prefix('p') {
        Some(percent) => {
            let percent = percent.parse().ok().filter(|percent| *percent <= 100)?;
            Some(After::Share(Percent::new(percent)))
        }
        None => Some(After::Fixed(duration_ns(text)?)),
    }
}

/// The nanoseconds of a duration as people write it (GEP-2257), such as 1s500ms.
fn duration_ns(text: &str) -> Option<u64> {
    let (mut rest, mut sum_ns) = (text, 0u64);
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit())?;
        let (count, from_unit) = rest.split_at(end);
        let (unit, unit_ns) = UNITS.iter().find(|(unit, _)| from_unit.starts_with(unit))?;
        let part_ns = count.parse::<u64>().ok()?.checked_mul(*unit_ns)?;
        sum_ns = sum_ns.checked_add(part_ns)?;
        rest = &from_unit[unit.len()..];
    }
    (!text.is_empty()).then_some(sum_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("250ms", Some(250_000_000)),
            ("1s500ms", Some(1_500_000_000)),
            ("1h1m", Some(3_660_000_000_000)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("s", None),
            ("5x", None),
        ] {
            assert_eq!(duration_ns(text), expected, "{text}");
        }
    }

    #[test]
    fn percentiles_are_shares_of_the_last_minute() {
        assert_eq!(after("p95"), Some(After::Share(Percent::new(95))));
        assert_eq!(after("p101"), None);
        assert_eq!(after("p"), None);
    }
}
