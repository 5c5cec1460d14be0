//! The place of a connection among those of its cluster that may be in use at once; and how it would stand if the pool in
//! shadow acted too: so many of the connections that are in use would be, the others would wait, and be told as refused
//! when their turn had not come by the time they would have given up.

use std::rc::Rc;

use policy::{Criticality, Reason};
use tokio::time::{Instant, timeout};

use super::NoConnection;
use crate::exchange::Destination;
use crate::gate::{Entry, Gate, Permit, Wait};
use crate::live::Cluster;
use crate::stages::Refusal;
use crate::tally::increment;

/// One connection's place; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct InUse {
    /// None where nothing caps the connections.
    _acting: Option<Permit>,
    foreseen: Option<Box<Foreseen>>,
}

/// The same in shadow.
#[derive(Debug)]
struct Foreseen {
    cluster: Rc<Cluster>,
    stay: Stay,
}

#[derive(Debug)]
enum Stay {
    Open { _permit: Permit },
    Waits { wait: Wait, since: Instant },
    Full,
}

impl InUse {
    /// With what caps the connections of a cluster; none where nothing does, also not in shadow.
    pub(crate) fn of(acting: Option<Permit>, to: &Destination) -> Option<Self> {
        let foreseen = Foreseen::enter(to).map(Box::new);
        (acting.is_some() || foreseen.is_some()).then_some(Self {
            _acting: acting,
            foreseen,
        })
    }

    /// Takes one, unless there is one already; false where that takes a wait.
    pub(crate) fn take_at_once(place: &mut Option<Self>, to: &Destination) -> bool {
        if place.is_some() {
            return true;
        }
        let gate = to.cluster.connections.as_ref();
        let acting = gate.map(|gate| gate.enter_at_once(Criticality::Default));
        if acting.as_ref().is_some_and(Option::is_none) {
            return false;
        }
        *place = Self::of(acting.flatten(), to);
        true
    }

    /// Takes one, unless there is one already, waiting in line for it as long as connecting may take.
    pub(crate) async fn take(
        place: &mut Option<Self>,
        to: &Destination,
    ) -> Result<(), NoConnection> {
        if place.is_some() {
            return Ok(());
        }
        let acting = match &to.cluster.connections {
            Some(gate) => Some(enter(gate, to).await?),
            None => None,
        };
        *place = Self::of(acting, to);
        Ok(())
    }

    /// How the pool in shadow would have refused the connection.
    pub(crate) fn would_refuse(&self) -> Option<Refusal> {
        let foreseen = self.foreseen.as_ref().filter(|it| it.is_refused())?;
        let pool = foreseen.cluster.config.pool.as_ref();
        let policy = pool.and_then(|block| block.policy.clone());
        Some(Refusal::new(Reason::BulkheadConnections).by(policy))
    }
}

async fn enter(gate: &Rc<Gate>, to: &Destination) -> Result<Permit, NoConnection> {
    match gate.enter_as(to.claim()) {
        Entry::Open(permit) => Ok(permit),
        Entry::Full => Err(NoConnection::NoPlace),
        Entry::Wait(wait) => {
            let waited = timeout(to.cluster.timeouts.connect, wait).await;
            waited.map_err(|_| NoConnection::NoPlace)
        }
    }
}

impl Foreseen {
    fn enter(to: &Destination) -> Option<Self> {
        let cluster = to.cluster.foreseen.as_ref().filter(|_| to.is_foreseen)?;
        let stay = match cluster.connections.as_ref()?.enter_as(to.claim()) {
            Entry::Open(permit) => Stay::Open { _permit: permit },
            Entry::Full => Stay::Full,
            Entry::Wait(wait) => {
                increment(&cluster.foretold.waits);
                let since = Instant::now();
                Stay::Waits { wait, since }
            }
        };
        let cluster = Rc::clone(cluster);
        Some(Self { cluster, stay })
    }

    fn is_refused(&self) -> bool {
        match &self.stay {
            Stay::Open { .. } => false,
            Stay::Full => true,
            Stay::Waits { wait, since } => {
                !wait.is_called() && since.elapsed() >= self.cluster.timeouts.connect
            }
        }
    }
}

impl Drop for Foreseen {
    fn drop(&mut self) {
        if self.is_refused() {
            self.cluster.foretold.refuse(Reason::BulkheadConnections);
        }
    }
}
