use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{MOST, Outbox, Task};
use crate::status::{Code, Status};

fn drained(outbox: &Outbox) -> Vec<Task> {
    let cx = Context::from_waker(Waker::noop());
    let mut tasks = Vec::new();
    while let Poll::Ready(task) = outbox.poll(&cx) {
        tasks.push(task);
    }
    tasks
}

#[test]
fn tasks_come_in_their_order() {
    let outbox = Outbox::default();
    outbox.put(Task::Accept);
    outbox.put(Task::Send(Bytes::from_static(b"one")));
    outbox.put(Task::End(Status::new(Code::Ok, "")));
    let tasks = drained(&outbox);
    assert!(matches!(
        tasks[..],
        [Task::Accept, Task::Send(_), Task::End(_)]
    ));
}

#[test]
fn stream_that_is_not_read_is_ended() {
    let outbox = Outbox::default();
    for _ in 0..3 * MOST {
        outbox.put(Task::Send(Bytes::from_static(b"one")));
    }
    let tasks = drained(&outbox);
    assert!(matches!(tasks[0], Task::End(_)));
    assert!(tasks.len() <= MOST);
}
