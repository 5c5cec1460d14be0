//! What one exchange needs and the next one can use again: heads, their bytes, the writer of heads.

use std::cell::RefCell;

use http1::{HeadWriter, RequestHead, ResponseHead};

/// The reusable parts of one exchange.
#[derive(Debug, Default)]
pub(crate) struct Kit {
    /// The bytes of the request's head.
    pub(crate) bytes: Vec<u8>,
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    pub(crate) writer: HeadWriter,
}

/// Kits that no exchange uses now.
#[derive(Debug, Default)]
#[allow(clippy::vec_box, reason = "a kit is moved often, and is large")]
pub(crate) struct Kits(RefCell<Vec<Box<Kit>>>);

/// Kits kept for the next exchanges, and the largest head whose memory is kept.
const KEPT: usize = 64;
const LARGEST_KEPT: usize = 16 * 1024;

impl Kits {
    pub(crate) fn take(&self) -> Box<Kit> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, mut kit: Box<Kit>) {
        let mut kits = self.0.borrow_mut();
        if kits.len() < KEPT && kit.bytes.capacity() <= LARGEST_KEPT {
            kit.bytes.clear();
            kits.push(kit);
        }
    }
}
