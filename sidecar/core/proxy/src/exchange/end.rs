//! The end of an exchange: settled and recorded once, on every path.

use policy::Reason;
use policy::ending::Ending;

use super::{End, Exchange};
use crate::stages::{Refusal, timeout};
use crate::tally::AttemptResult;

impl Exchange {
    /// The exchange ended, `bytes_out` bytes of body after its answer began; when.
    pub(crate) fn finish(&mut self, end: End, bytes_out: u64) -> u64 {
        self.now_ns = self.worker.clock.now_ns();
        self.record.bytes_out = bytes_out;
        self.end_attempt(end);
        self.settle();
        self.record_admission();
        self.end_foreseen();
        match end {
            End::Complete { .. } => {}
            End::Truncated => self.record.blame(&Refusal::new(Reason::UpstreamReset)),
            End::ClientLeft => self.record.blame(&Refusal::new(Reason::ClientCancelled)),
            End::TimedOut(reason) => self.record.blame(&self.refusal_of(reason)),
        }
        self.close();
        self.now_ns
    }

    /// It was no exchange after all: what it holds is given back, and nothing counted.
    pub(crate) fn forget(mut self) {
        self.is_recorded = true;
    }

    /// Counts what became of a call; one that no attempt was made for is none.
    fn record_admission(&self) {
        if let (Some(is_success), Some(route)) = (self.has_succeeded, &self.route) {
            let mut restraint = route.cluster.admission.borrow_mut();
            restraint.record(is_success, self.now_ns);
        }
    }

    /// What the body tells of how the attempt ended.
    fn end_attempt(&mut self, end: End) {
        let (deadline, is_stream) = (self.deadline, self.is_stream);
        let Some(attempt) = &mut self.current else {
            return;
        };
        match (end, &mut attempt.ending) {
            (
                End::Complete {
                    code: Some(trailing),
                },
                Ending::Response { code, .. },
            ) => {
                *code = Some(trailing);
                self.record.code = Some(trailing);
            }
            (End::Truncated, ending) => *ending = Ending::Truncated,
            (End::TimedOut(Reason::TimeoutRequest), ending) if !is_stream => {
                *ending = deadline.map_or(Ending::RequestTimeout, timeout::deadline_ending);
            }
            _ => {}
        }
    }

    /// Gives back what was taken in front of the application, and what would have been.
    fn leave_fronts(&mut self) {
        if let Some(permit) = self.front.take() {
            permit.finish(self.application_ns);
        }
        if let Some(shadow) = self.shadow.take() {
            let would_refuse = shadow.leave(self.application_ns, self.now_ns);
            self.record.would_refuse = would_refuse.map(Box::new);
        }
    }

    fn close(&mut self) {
        self.is_recorded = true;
        self.leave_fronts();
        self.record.close(&self.worker, self.now_ns);
        self.tell_spans();
    }
}

/// Whoever drops an exchange before its end does so because the client left.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_recorded {
            return;
        }
        let tally = self.record.flight.tally();
        if self.current.is_some() {
            let under_way = 1 + usize::from(self.rival.is_some());
            (0..under_way).for_each(|_| tally.count_attempt(AttemptResult::Cancelled));
        }
        let refusal = Refusal::new(Reason::ClientCancelled);
        if self.record.status == 0 {
            self.record.refuse(&refusal, self.traits.is_grpc);
        }
        self.record.blame(&refusal);
        self.now_ns = self.worker.clock.now_ns();
        self.end_spans();
        self.close();
    }
}
