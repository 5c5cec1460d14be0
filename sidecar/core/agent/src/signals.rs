//! SIGTERM and SIGINT, which belong to the core: the interpreter may be busy for as long as it likes.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, which mean the same.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from whoever handled them.
    pub(crate) fn take() -> io::Result<Self> {
        forget_handler(libc::SIGINT); // the interpreter's own, which would be called as well
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn forget_handler(number: libc::c_int) {
    // SAFETY: sets a disposition of the system's own and touches no memory.
    unsafe { libc::signal(number, libc::SIG_DFL) };
}
