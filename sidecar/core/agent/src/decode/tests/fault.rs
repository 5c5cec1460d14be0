//! Rehearsals, and what is wrong with some.

use super::super::fault;
use super::*;

fn rules() -> mesh::FaultRules {
    mesh::FaultRules {
        policy: Some(mesh::PolicyRef {
            kind: "FaultPolicy".into(),
            namespace: "shop".into(),
            name: "drill".into(),
            generation: 1,
        }),
        until: Some(prost_types::Timestamp {
            seconds: 1_800_000_000,
            nanos: 5,
        }),
        percent: 2.5,
        ..Default::default()
    }
}

fn one(wire: mesh::FaultRules) -> Result<proxy::config::Fault, Fault> {
    let mut found = fault::decode([(3, wire)].into_iter(), &identity())?;
    Ok(Arc::unwrap_or_clone(found.remove(0)))
}

#[test]
fn what_is_absent_is_not_done() {
    let found = one(rules()).unwrap();
    assert_eq!(
        (found.delay_ns, found.abort, &found.bandwidth),
        (0, None, &None)
    );
    assert_eq!(found.share.millionths(), 25_000);
    assert_eq!(found.until_unix_ns, 1_800_000_000_000_000_005);
}

#[test]
fn a_bandwidth_is_one_limit_of_downloads() {
    let bandwidth = Some(mesh::FaultBandwidth {
        bytes_per_second: 65_536,
    });
    let found = one(mesh::FaultRules {
        bandwidth,
        ..rules()
    });
    let limits = found.unwrap().bandwidth.unwrap();
    assert_eq!((limits.uploads.len(), limits.downloads.len()), (0, 1));
    let rate = limits.downloads[0].params.algorithm.rate().unwrap();
    assert_eq!(rate.requests(), 65_536);
}

#[test]
fn a_status_that_is_no_failure_and_an_end_that_is_missing_are_refused_with_their_paths() {
    let abort = Some(mesh::FaultAbort { status: 200 });
    let wrong = one(mesh::FaultRules { abort, ..rules() }).unwrap_err();
    assert_eq!(wrong.field, "faults[3].abort.status");
    assert_eq!(wrong.reason, "expected 400 to 599, found 200");
    let endless = mesh::FaultRules {
        until: None,
        ..rules()
    };
    assert_eq!(one(endless).unwrap_err().field, "faults[3].until");
}

#[test]
fn the_more_specific_has_its_turn_first_and_of_equals_the_one_that_speaks_of_us() {
    let named = mesh::CallerMatch {
        namespace: "shop".to_owned(),
        service: "storefront".to_owned(),
        ..Default::default()
    };
    let at = |specificity, age, from| mesh::FaultRules {
        specificity,
        age,
        from,
        ..rules()
    };
    let wire = [
        at(1, 0, Vec::new()),
        at(3, 2, Vec::new()),
        at(3, 1, Vec::new()),
        at(3, 3, vec![named]),
    ];
    let found = fault::decode(wire.into_iter().enumerate(), &identity()).unwrap();
    let turns: Vec<_> = found.iter().map(|rules| rules.turn).collect();
    assert_eq!(turns, [3, 2, 1, 0]);
}

#[test]
fn a_merge_that_is_not_known_is_refused_with_its_path() {
    let wrong = one(mesh::FaultRules {
        merge: 9,
        ..rules()
    });
    assert_eq!(wrong.unwrap_err().field, "faults[3].merge");
}
