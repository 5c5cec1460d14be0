//! Writes the last good configuration to disk whenever it changes, at most once a second, and never makes anybody wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::disk::Disk;
use crate::encode;
use crate::log::Log;
use crate::saved::{Saved, SavedHost};
use crate::status::State;

/// Least time between two saves.
const SPACING: Duration = Duration::from_secs(1);
/// Time after which a failed save is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// Least time between two complaints about the disk.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// Saves what a sidecar applies.
#[derive(Debug)]
pub(crate) struct Saver {
    disk: Disk,
    instance: String,
    log: Log,
    /// The newest sequence that is known of.
    sequence: u64,
    /// What is on disk.
    saved: Option<State>,
    complained_at: Option<Instant>,
}

impl Saver {
    /// Nothing is on disk that may be used; what will be comes after `sequence`.
    pub(crate) const fn new(disk: Disk, instance: String, sequence: u64, log: Log) -> Self {
        Self {
            disk,
            instance,
            log,
            sequence,
            saved: None,
            complained_at: None,
        }
    }

    /// `state` is on disk.
    pub(crate) fn resume(&mut self, state: State) {
        self.saved = Some(state);
    }

    /// Saves every state that `changes` shows with another configuration than the one before.
    pub(crate) async fn run(mut self, mut changes: watch::Receiver<State>) {
        loop {
            let state = changes.borrow_and_update().clone();
            if is_news(self.saved.as_ref(), &state) {
                let rest = self.keep(state).await;
                sleep(rest).await;
            } else if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Saves `state`; returns how long to rest.
    async fn keep(&mut self, state: State) -> Duration {
        match self.save(&state).await {
            Ok(()) => {
                self.saved = Some(state);
                SPACING
            }
            Err(error) => {
                self.complain(&error);
                AGAIN
            }
        }
    }

    fn complain(&mut self, error: &std::io::Error) {
        if self
            .complained_at
            .is_none_or(|at| at.elapsed() >= COMPLAINTS)
        {
            self.complained_at = Some(Instant::now());
            self.log
                .error("configuration not saved", &[("reason", error)]);
        }
    }

    async fn save(&mut self, state: &State) -> std::io::Result<()> {
        let saved = Saved {
            instance: self.instance.clone(),
            sequence: self.sequence + 1,
            revision: state.revision,
            applied: state
                .applied
                .iter()
                .map(|resource| resource.encode())
                .collect(),
            lapsed: state
                .lapsed
                .iter()
                .map(|resource| resource.encode())
                .collect(),
            callers: state.callers.iter().map(encode::caller_count).collect(),
            hosts: state
                .resolved
                .iter()
                .map(|(host, addresses)| SavedHost::encode(host, addresses))
                .collect(),
        };
        let disk = self.disk.clone();
        tokio::task::spawn_blocking(move || disk.save(&saved))
            .await
            .map_err(std::io::Error::other)??;
        self.sequence += 1;
        Ok(())
    }
}

/// Whether `state` serves a configuration other than the one saved.
fn is_news(saved: Option<&State>, state: &State) -> bool {
    let is_same = |saved: &State| {
        saved.revision == state.revision
            && saved.callers == state.callers
            && saved.resolved == state.resolved
            && are_same(&saved.applied, &state.applied)
            && are_same(&saved.lapsed, &state.lapsed)
    };
    state.source.is_some() && !saved.is_some_and(is_same)
}

fn are_same<T>(left: &[Arc<T>], right: &[Arc<T>]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| Arc::ptr_eq(left, right))
}

#[cfg(test)]
mod tests;
