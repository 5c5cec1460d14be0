//! Nothing that happened is lost between two reports.

use super::*;

fn event(number: u32) -> mesh::Event {
    mesh::Event {
        calls: number,
        ..mesh::Event::default()
    }
}

fn calls(events: &Events) -> Vec<u32> {
    events
        .unconfirmed()
        .iter()
        .map(|event| event.calls)
        .collect()
}

#[test]
fn events_stay_until_they_are_confirmed() {
    let events = Events::default();
    events.put(event(1));
    assert_eq!(calls(&events), [1]);
    events.put(event(2));
    events.confirm();
    assert_eq!(calls(&events), [2]);
}

#[test]
fn an_unconfirmed_report_is_told_again() {
    let events = Events::default();
    events.put(event(1));
    assert_eq!(calls(&events), calls(&events));
}

#[test]
fn the_newest_stay() {
    let events = Events::default();
    (0..1_000).for_each(|number| events.put(event(number)));
    events.unconfirmed();
    events.put(event(1_000));
    events.confirm();
    assert_eq!(calls(&events), [1_000]);
}
