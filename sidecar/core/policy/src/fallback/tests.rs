use super::{Case, Cases};
use crate::Reason;

#[test]
fn every_name_is_read_back() {
    for (case, name) in Case::ALL {
        assert_eq!(Case::parse(name), Some(case));
    }
    assert_eq!(Case::parse("Failed"), None);
}

#[test]
fn a_set_covers_its_own_cases_alone() {
    let open: Cases = [Case::Open].into_iter().collect();
    assert!(open.cover(Reason::BreakerForced));
    assert!(!open.cover(Reason::TimeoutRequest));
    assert!(!Cases::default().cover(Reason::BreakerOpen));
}

#[test]
fn what_the_client_did_and_what_the_upstream_began_is_no_case() {
    let all: Cases = Case::ALL.into_iter().map(|(case, _)| case).collect();
    for reason in [
        Reason::ClientCancelled,
        Reason::ProtocolInvalid,
        Reason::UpstreamReset,
        Reason::RouteNone,
    ] {
        assert!(!all.cover(reason));
    }
    let covered = Reason::ALL.iter().filter(|reason| all.cover(**reason));
    assert_eq!(covered.count(), Reason::ALL.len() - 11);
}
