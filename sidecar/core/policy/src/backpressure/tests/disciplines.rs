use super::*;

const CODEL: codel::Params = codel::Params {
    target_ns: 5 * MS,
    interval_ns: 100 * MS,
};

fn front_of(discipline: Discipline) -> Backpressure {
    Backpressure::new(Params {
        queue: Some(QueueParams {
            capacity: 1000,
            mode: Mode::DropNewest,
            discipline,
        }),
        ..params(1, 0, Mode::DropNewest)
    })
}

/// 200 arrive at once, one is done each ms: the order in which they run, and who is dropped.
fn order(discipline: Discipline) -> (Vec<usize>, Vec<usize>) {
    let mut front = front_of(discipline);
    runs(&mut front);
    let tickets: Vec<_> = (0..200)
        .map(|_| waits(&mut front, Arrival::default()))
        .collect();
    let place = |ticket| tickets.iter().position(|&other| other == ticket).unwrap();
    let (mut run, mut dropped) = (Vec::new(), Vec::new());
    for ms in 1..=200 {
        front.finish(None, ms * MS);
        for event in events(&mut front) {
            match event {
                Event::Runs(ticket) => run.push(place(ticket)),
                Event::Refused(ticket, reason) => {
                    assert_eq!(reason, Reason::QueueCodel);
                    dropped.push(place(ticket));
                }
            }
        }
    }
    (run, dropped)
}

#[test]
fn first_in_first_out_drops_nobody() {
    let (run, dropped) = order(Discipline::Fifo);
    assert_eq!(run, (0..200).collect::<Vec<_>>());
    assert!(dropped.is_empty());
}

#[test]
fn codel_drops_who_would_be_next() {
    let (run, dropped) = order(Discipline::Codel(CODEL));
    assert_eq!(dropped, [104]);
    assert_eq!(run[103..106], [103, 105, 106]);
}

#[test]
fn while_codel_drops_the_newest_may_be_served() {
    let (run, dropped) = order(Discipline::CodelLifo(CODEL));
    assert_eq!(dropped, [104]);
    assert_eq!(run[102..107], [102, 103, 199, 198, 197]);
}

#[test]
fn classes_do_not_share_their_codel() {
    let mut front = front_of(Discipline::Codel(CODEL));
    runs(&mut front);
    for _ in 0..200 {
        waits(&mut front, of(Criticality::Background));
    }
    for ms in 1..=300 {
        waits_at(&mut front, of(Criticality::Critical), ms * MS);
        front.finish(None, ms * MS);
    }
    assert!(
        events(&mut front)
            .iter()
            .all(|event| matches!(event, Event::Runs(_)))
    );
    assert_eq!(front.depth(), 200);
}
