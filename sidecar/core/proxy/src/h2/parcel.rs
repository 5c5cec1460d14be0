//! Bytes of a body on their way from one connection to another, charged to their sender until they are written.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use bytes::{Buf, Bytes};

/// What one body has handed over and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Transit {
    unwritten: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

/// A part of a body. What is written of it, or dropped unwritten, is in transit no more.
#[derive(Debug)]
pub(super) struct Parcel {
    bytes: Bytes,
    transit: Option<Rc<Transit>>,
}

impl Transit {
    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten.get()
    }

    /// Has the task woken when something is written.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        match &mut *self.waker.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
    }

    /// Has nobody woken any more.
    pub(super) fn forget(&self) {
        self.waker.take();
    }

    // Called while a connection writes: it may touch no connection, only wake.
    fn written(&self, count: usize) {
        self.unwritten.set(self.unwritten.get() - count);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

impl Parcel {
    /// Bytes that are charged to nobody.
    pub(super) const fn free(bytes: Bytes) -> Self {
        Self {
            bytes,
            transit: None,
        }
    }

    /// Bytes in `transit`, if they are charged to anybody.
    pub(super) fn new(bytes: Bytes, transit: Option<&Rc<Transit>>) -> Self {
        if let Some(transit) = transit {
            transit.unwritten.set(transit.unwritten.get() + bytes.len());
        }
        Self {
            bytes,
            transit: transit.cloned(),
        }
    }
}

impl Buf for Parcel {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(transit) = &self.transit {
            transit.written(count);
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(transit) = self.transit.take() {
            transit.written(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests;
