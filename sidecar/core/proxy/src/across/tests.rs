use policy::Criticality;
use smallvec::smallvec;

use super::Across;
use crate::trace::Key;

const TRACE: Key = Key::Trace(7);

#[test]
fn calls_inherit_the_latest_deadline_of_their_trace() {
    let across = Across::new(10);
    let _early = across.enter(smallvec![TRACE], Some(100)).unwrap();
    let late = across.enter(smallvec![TRACE], Some(300)).unwrap();
    assert_eq!(across.deadline_ns(TRACE), Some(300));
    drop(late);
    assert_eq!(across.deadline_ns(TRACE), Some(100));
}

#[test]
fn a_request_without_a_deadline_leaves_calls_unbounded() {
    let across = Across::new(10);
    let _bounded = across.enter(smallvec![TRACE], Some(100));
    let _unbounded = across.enter(smallvec![TRACE], None);
    assert_eq!(across.deadline_ns(TRACE), None);
}

#[test]
fn a_streaming_answer_lends_its_deadline_no_more() {
    let across = Across::new(10);
    let hop = across.enter(smallvec![TRACE], Some(100)).unwrap();
    hop.withhold_deadline();
    assert_eq!(across.deadline_ns(TRACE), None);
}

#[test]
fn calls_inherit_the_highest_criticality_of_their_trace() {
    let across = Across::new(10);
    assert_eq!(across.criticality(TRACE), None);
    let background = across.enter(smallvec![TRACE], None).unwrap();
    background.lend_criticality(Criticality::Background);
    assert_eq!(across.criticality(TRACE), Some(Criticality::Background));
    let critical = across.enter(smallvec![TRACE], None).unwrap();
    critical.lend_criticality(Criticality::Critical);
    assert_eq!(across.criticality(TRACE), Some(Criticality::Critical));
    drop(critical);
    assert_eq!(across.criticality(TRACE), Some(Criticality::Background));
}

#[test]
fn an_exhausted_call_marks_every_request_of_its_trace() {
    let across = Across::new(10);
    let one = across.enter(smallvec![TRACE], None).unwrap();
    let two = across
        .enter(smallvec![TRACE, Key::RequestId(1)], None)
        .unwrap();
    let other = across.enter(smallvec![Key::Trace(8)], None).unwrap();
    across.mark_exhausted(TRACE);
    assert!(one.is_exhausted() && two.is_exhausted() && !other.is_exhausted());
}

#[test]
fn the_table_is_bounded_and_empty_in_the_end() {
    let across = Across::new(2);
    let hop = across.enter(smallvec![TRACE, Key::RequestId(1)], None);
    assert!(hop.is_some());
    assert!(across.enter(smallvec![Key::Trace(8)], None).is_none());
    assert_eq!(across.size(), (2, 1));
    drop(hop);
    assert_eq!(across.size(), (0, 1));
}
