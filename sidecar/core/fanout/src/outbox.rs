//! What a stream has yet to do for the control plane; bounded, and what overflows ends the stream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::status::{Code, Status};

/// Messages that wait for a client to read; one that confirms what it has not read gets no more than these.
const MOST: usize = 8;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Task {
    Accept,
    Send(Bytes),
    End(Status),
}

/// Tasks in the order to do them; a second end is none.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    tasks: RefCell<VecDeque<Task>>,
    waker: RefCell<Option<Waker>>,
}

impl Outbox {
    pub(crate) fn put(&self, task: Task) {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() >= MOST && !matches!(task, Task::End(_)) {
            tasks.clear();
            let reason = format!("expected to be read, found {MOST} messages waiting");
            tasks.push_back(Task::End(Status::new(Code::ResourceExhausted, reason)));
        } else {
            tasks.push_back(task);
        }
        drop(tasks);
        self.wake();
    }

    /// Has the stream look around.
    pub(crate) fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next task; whoever waits is woken for it.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Task> {
        self.watch(cx);
        let mut tasks = self.tasks.borrow_mut();
        let Some(task) = tasks.pop_front() else {
            return Poll::Pending;
        };
        if tasks.is_empty() {
            tasks.shrink_to_fit();
        }
        Poll::Ready(task)
    }

    /// Whether one of the tasks is to end; whoever asks is woken for the next one.
    pub(crate) fn is_ending(&self, cx: &Context<'_>) -> bool {
        self.watch(cx);
        let tasks = self.tasks.borrow();
        tasks.iter().any(|task| matches!(task, Task::End(_)))
    }

    /// Wakes whoever waits when there is something new.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }
}

#[cfg(test)]
mod tests;
