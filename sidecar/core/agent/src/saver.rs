//! Writes the last good configuration to disk whenever it changes, at most once a second, and never makes anybody wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::disk::Disk;
use crate::encode;
use crate::log::Log;
use crate::saved::Saved;
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
    pub(crate) disk: Disk,
    pub(crate) instance: String,
    /// Sequence of the configuration that is on disk; zero when there is none.
    pub(crate) sequence: u64,
    pub(crate) log: Log,
}

impl Saver {
    /// Saves every state that `changes` shows with another configuration than the one before; `first` is on disk.
    pub(crate) async fn run(mut self, mut changes: watch::Receiver<State>, first: Option<State>) {
        let mut saved = first;
        let mut complained_at: Option<Instant> = None;
        while changes.changed().await.is_ok() {
            let mut state = changes.borrow_and_update().clone();
            while is_news(saved.as_ref(), &state) {
                match self.save(&state).await {
                    Ok(()) => {
                        saved = Some(state.clone());
                        sleep(SPACING).await;
                    }
                    Err(error) => {
                        if complained_at.is_none_or(|at| at.elapsed() >= COMPLAINTS) {
                            complained_at = Some(Instant::now());
                            self.log
                                .error("configuration not saved", &[("reason", &error)]);
                        }
                        sleep(AGAIN).await;
                    }
                }
                state = changes.borrow_and_update().clone();
            }
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
