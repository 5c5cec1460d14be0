//! What happened, kept in order until a control plane has it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use proxy::ServiceName;
use proxy::report::{Event, EventKind};
use tokio::sync::mpsc;

use crate::encode;
use crate::log::Log;
use crate::mesh;
use crate::resource::Rejection;

/// Events kept; the newest stay.
const KEPT: usize = 1_000;

/// The events that no control plane has confirmed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<mesh::Event>,
    /// How many of the oldest are on their way.
    sent: usize,
}

impl Events {
    /// Takes what a worker tells, and logs it, until the worker ends.
    pub(crate) async fn collect(self, mut told: mpsc::Receiver<Event>, log: Log) {
        while let Some(event) = told.recv().await {
            write(&log, &event);
            self.put(encode::event(&event));
        }
    }

    /// A resource was refused.
    pub(crate) fn refused(&self, rejection: &Rejection) {
        let Rejection {
            id, field, reason, ..
        } = rejection;
        self.put(mesh::Event {
            at: Some(encode::timestamp(SystemTime::now())),
            kind: "configuration".to_owned(),
            service: ServiceName::parse(&id.name).as_ref().map(encode::service),
            reason: format!("{id} {field}: {reason}"),
            ..mesh::Event::default()
        });
    }

    fn put(&self, event: mesh::Event) {
        let mut kept = self.lock();
        if kept.events.len() == KEPT {
            kept.events.pop_front();
            kept.sent = kept.sent.saturating_sub(1);
        }
        kept.events.push_back(event);
    }

    /// Everything kept, oldest first, which is on its way now.
    pub(crate) fn unconfirmed(&self) -> Vec<mesh::Event> {
        let mut kept = self.lock();
        kept.sent = kept.events.len();
        kept.events.iter().cloned().collect()
    }

    /// What was on its way has arrived.
    pub(crate) fn confirm(&self) {
        let mut kept = self.lock();
        let sent = std::mem::take(&mut kept.sent);
        kept.events.drain(..sent);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(log: &Log, event: &Event) {
    let endpoint = event.endpoint.as_deref().unwrap_or_default();
    let (service, endpoint) = (
        ("service", &event.service as &dyn std::fmt::Display),
        ("endpoint", &endpoint as _),
    );
    match &event.kind {
        EventKind::Breaker {
            from,
            to,
            reason,
            counts,
            route,
        } => log.warn(
            "breaker changed",
            &[
                service,
                ("route", &route.as_deref().unwrap_or_default()),
                endpoint,
                ("from", &from.as_str()),
                ("to", &to.as_str()),
                ("reason", reason),
                ("calls", &counts.calls),
                ("failures", &counts.failures),
                ("slow", &counts.slow),
                ("consecutive_failures", &counts.consecutive_failures),
            ],
        ),
        EventKind::Outlier { cause: Some(cause) } => log.warn(
            "endpoint ejected",
            &[service, endpoint, ("reason", &cause.as_str())],
        ),
        EventKind::Outlier { cause: None } => {
            log.warn("endpoint returned", &[service, endpoint]);
        }
        EventKind::Health { is_healthy } => log.warn(
            "endpoint probed",
            &[service, endpoint, ("healthy", is_healthy)],
        ),
        EventKind::Group { name, is_empty } => log.warn(
            "instance group changed",
            &[service, ("group", name), ("empty", is_empty)],
        ),
        EventKind::Panic { began } => {
            log.warn("too few endpoints are fit", &[service, ("began", began)])
        }
        EventKind::Override { to, route } => log.warn(
            "breaker ordered",
            &[
                service,
                ("route", &route.as_deref().unwrap_or_default()),
                endpoint,
                ("to", &to.as_str()),
            ],
        ),
    }
}

#[cfg(test)]
mod tests;
