use super::super::*;

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1000 * MS;

pub(super) const fn params(limit: u32, capacity: u32, mode: Mode) -> Params {
    Params {
        concurrency: Concurrency::Fixed(limit),
        queue: Some(QueueParams {
            capacity,
            mode,
            discipline: Discipline::Fifo,
        }),
        early_detection: None,
    }
}

pub(super) fn front(limit: u32, capacity: u32, mode: Mode) -> Backpressure {
    Backpressure::new(params(limit, capacity, mode))
}

/// Lets arrivals in until one has to wait or is refused, which then leaves; how many run.
pub(super) fn runs(front: &mut Backpressure) -> u32 {
    while front.in_flight() < front.limit() {
        assert_eq!(front.arrive(&Arrival::default(), 0), Entry::Runs);
    }
    front.in_flight()
}

pub(super) fn waits(front: &mut Backpressure, arrival: Arrival) -> Ticket {
    waits_at(front, arrival, 0)
}

pub(super) fn waits_at(front: &mut Backpressure, arrival: Arrival, now_ns: u64) -> Ticket {
    match front.arrive(&arrival, now_ns) {
        Entry::Waits(ticket) => ticket,
        other => panic!("expected a place in the queue, found {other:?}"),
    }
}

pub(super) fn is_refused(front: &mut Backpressure, arrival: Arrival, reason: Reason) -> bool {
    front.arrive(&arrival, 0) == Entry::Refused(reason)
}

pub(super) fn of(class: Criticality) -> Arrival {
    Arrival {
        class,
        ..Arrival::default()
    }
}

pub(super) fn from(flow: Flow) -> Arrival {
    Arrival {
        flow,
        ..Arrival::default()
    }
}

pub(super) fn by(deadline_ns: u64) -> Arrival {
    Arrival {
        deadline_ns: Some(deadline_ns),
        ..Arrival::default()
    }
}

pub(super) fn events(front: &mut Backpressure) -> Vec<Event> {
    std::iter::from_fn(|| front.next_event()).collect()
}
