use policy::Percent;
use policy::trace_context::Sampling;

use super::Trace;
use crate::chance::Chance;
use crate::name::ServiceName;
use crate::report::{Direction, Question};

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// The trace of a request with these `traceparent`s, where this share of the others is recorded.
fn trace(parents: &[&str], percent: Option<u32>) -> Trace {
    let header = |parent: &&str| ("traceparent".to_owned(), (*parent).to_owned());
    let request = Question {
        direction: Direction::Inbound,
        service: ServiceName::new("shop", "cart"),
        method: "GET".into(),
        path: "/".into(),
        headers: parents.iter().map(header).collect(),
    };
    let sampling = percent.map(|percent| Sampling::new(Percent::new(percent)));
    Trace::of(&request, &Chance::from_seed(7), sampling)
}

#[test]
fn whoever_calls_decides_whether_its_trace_is_recorded() {
    for (parent, is_sampled) in [(SAMPLED, true), (UNSAMPLED, false)] {
        let trace = trace(&[parent], Some(if is_sampled { 0 } else { 100 }));
        assert_eq!((trace.is_sampled, trace.is_begun), (is_sampled, false));
        assert_eq!(&trace.header(trace.span), parent.as_bytes());
    }
}

#[test]
fn a_share_of_the_traces_that_begin_here_is_recorded() {
    for (percent, is_sampled) in [(100, true), (0, false)] {
        let trace = trace(&[], Some(percent));
        assert_eq!((trace.is_sampled, trace.is_begun), (is_sampled, true));
    }
}

#[test]
fn a_trace_begins_anew_where_none_or_several_can_be_read() {
    for parents in [&["00-1"][..], &[SAMPLED, SAMPLED]] {
        let begun = trace(parents, Some(100));
        assert!(begun.is_begun && begun.is_sampled);
        assert_ne!(begun.header(begun.span), SAMPLED.as_bytes());
    }
}

#[test]
fn nothing_is_recorded_or_changed_without_tracing() {
    for parents in [&[SAMPLED][..], &["00-1"], &[SAMPLED, SAMPLED]] {
        let trace = trace(parents, None);
        assert_eq!((trace.is_sampled, trace.is_begun), (false, false));
    }
    assert!(trace(&[], None).is_begun);
}
