//! Outliers: what attempts say of the endpoints, when these are judged, and who hears of an ejection.

use policy::outlier::{Cause, Detector, Record, Signal};
use policy::readiness::{Readiness, Verdict};

use super::reconfigure::layout;
use super::{Endpoint, EndpointSet, Picked, Settlement, returned};
use crate::config;
use crate::live::Cluster;
use crate::report::{Event, EventKind};
use crate::worker::Worker;

/// What an attempt that ended so says of its endpoint; nothing where no policy asks.
pub(crate) fn signal(config: &config::Cluster, ending: &policy::ending::Ending) -> Option<Signal> {
    let block = config.outliers.as_ref()?;
    Signal::of(ending, &block.params.failures)
}

impl EndpointSet {
    /// Takes new figures; without any, whoever was set aside is free, and nothing counted is kept.
    pub(super) fn reconfigure_outliers(
        &self,
        endpoints: &mut [Endpoint],
        config: &config::Cluster,
        now_ns: u64,
    ) {
        let block = config.outliers.as_ref();
        let mut detector = self.detector.borrow_mut();
        match (&mut *detector, block) {
            (Some(detector), Some(block)) => detector.reconfigure(block.params.params, now_ns),
            (None, Some(block)) => *detector = Some(Detector::new(block.params.params, now_ns)),
            (_, None) => {
                *detector = None;
                endpoints
                    .iter_mut()
                    .for_each(|endpoint| endpoint.record = Record::default());
            }
        }
        let shares = block.map(|block| block.params.readiness);
        self.readiness
            .borrow_mut()
            .reconfigure(shares.unwrap_or_default(), layout(config));
    }

    /// Judges the endpoints when an interval has ended.
    pub(super) fn sweep(&self, endpoints: &mut [Endpoint], now_ns: u64) {
        let Some(detector) = &mut *self.detector.borrow_mut() else {
            return;
        };
        if !detector.sweep(endpoints, now_ns).is_empty() {
            self.readiness.borrow_mut().invalidate();
        }
    }

    fn count(&self, endpoint: &mut Endpoint, signal: Signal, latency_ns: u64, now_ns: u64) -> bool {
        let detector = self.detector.borrow();
        let ejects = |detector: &Detector| {
            detector.on_result(&mut endpoint.record, signal, latency_ns, now_ns)
        };
        detector.as_ref().and_then(ejects).is_some()
    }
}

impl Picked {
    /// Counts how the attempt ended, and sets the endpoint aside at once where that was one too many.
    pub(super) fn note_signal(
        &self,
        worker: &Worker,
        cluster: &Cluster,
        end: &Settlement,
        now_ns: u64,
    ) {
        let Some(signal) = end.signal else { return };
        let is_ejected = self.set.with(self.id, self.position, |endpoint| {
            self.set.count(endpoint, signal, end.load_ns, now_ns)
        });
        if is_ejected == Some(true) {
            self.set.readiness.borrow_mut().invalidate();
            let mut endpoints = self.set.endpoints.borrow_mut();
            self.set.refresh(worker, cluster, &mut endpoints, now_ns);
        }
    }
}

/// Notes who is set aside as an outlier now, and tells of those, and of who no longer is.
pub(super) fn tell(
    worker: &Worker,
    cluster: &Cluster,
    readiness: &Readiness,
    endpoints: &mut [Endpoint],
    now_ns: u64,
) {
    let mut back = Vec::new();
    for (position, endpoint) in (0..).zip(endpoints.iter_mut()) {
        let is_out = readiness.verdict(position) == Verdict::Ejected;
        endpoint.record.note_kept(!is_out, now_ns);
        let cause = endpoint.record.cause(now_ns).filter(|_| is_out);
        if std::mem::replace(&mut endpoint.outlier, cause) != cause {
            if !endpoint.record.is_ejected(now_ns) {
                back.push(position as usize);
            }
            cluster.tell(worker, || event(worker, cluster, endpoint, cause, now_ns));
        }
    }
    returned::restart(endpoints, &back, now_ns);
}

fn event(
    worker: &Worker,
    cluster: &Cluster,
    endpoint: &Endpoint,
    cause: Option<Cause>,
    now_ns: u64,
) -> Event {
    Event {
        at: worker.clock.wall(now_ns),
        service: cluster.config.service.clone(),
        endpoint: Some(endpoint.instance.clone()),
        kind: EventKind::Outlier { cause },
    }
}
