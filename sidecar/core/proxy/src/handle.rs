//! The way to a running worker: messages that it handles between requests, so that nothing on the request path is
//! shared, locked or atomic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use policy::breaker::Forced;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, ServiceName};
use crate::connections::Phase;
use crate::report::{
    BreakerStatus, Decision, Direction, EndpointStatus, Explanation, LimitStatus, OthersHealth,
    OwnHealth, Question, RouteStatus, Stats,
};
use crate::settings::{Settings, StartError};
use crate::worker;

/// Orders that wait for a worker.
const WAITING_ORDERS: usize = 64;

/// What a worker wants to know; the answer decides what becomes of the requests that wait.
#[derive(Debug)]
pub struct Demand {
    /// What is wanted.
    pub wanted: Wanted,
    /// Dropped without an answer, it counts as [`Supply::Unavailable`].
    pub reply: oneshot::Sender<Supply>,
}

/// What a worker wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The service behind a host name in its canonical form, and how to call it.
    Host(Box<str>),
    /// How to call a service.
    Service(ServiceName),
}

/// What became of a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// The configuration in force has it by now.
    Applied,
    /// There is no such name.
    Unknown,
    /// Nobody can tell.
    Unavailable,
}

/// Where a worker's own messages go; all channels are bounded, and a full one never holds up a request.
#[derive(Clone, Debug)]
pub struct Outlets {
    /// Demands for configuration.
    pub demands: mpsc::Sender<Demand>,
    /// What happened, in order.
    pub events: mpsc::Sender<crate::report::Event>,
    /// Spans of traces that are recorded, as they end.
    pub spans: mpsc::Sender<crate::report::Span>,
}

/// Where a worker listens; ports that were 0 are filled in.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// In the order of [`Settings::inbound`].
    pub inbound: Vec<SocketAddr>,
    /// As [`Settings::captured`], where that is none of the above.
    pub captured: Option<SocketAddr>,
    /// As [`Settings::outbound`].
    pub outbound: Option<SocketAddr>,
    /// In the order of [`Settings::upstreams`].
    pub upstreams: Vec<SocketAddr>,
}

impl Addresses {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = SocketAddr> {
        self.inbound
            .iter()
            .chain(&self.captured)
            .chain(&self.outbound)
            .chain(&self.upstreams)
            .copied()
    }
}

/// The worker has ended; so must the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker has ended")]
pub struct Ended;

/// An order that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// No such breaker.
    #[error("no breaker guards {0}")]
    NoBreaker(String),
    /// The worker has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// An order over a breaker.
#[derive(Clone, Debug)]
pub struct Force {
    /// Service that is called.
    pub service: ServiceName,
    /// Instance that the breaker guards; `None` for the breaker of the service.
    pub endpoint: Option<Arc<str>>,
    /// The route that has the breaker for itself, as its status names it; `None`: that of the service.
    pub route: Option<Box<str>>,
    /// What is ordered and for how long; `None` gives the breaker back.
    pub order: Option<(Forced, Duration)>,
}

/// An order to the worker.
pub(crate) enum Order {
    Apply(Arc<Config>, oneshot::Sender<()>),
    Stats(oneshot::Sender<Stats>),
    Breakers(oneshot::Sender<Vec<BreakerStatus>>),
    Limits(oneshot::Sender<Vec<LimitStatus>>),
    Endpoints(oneshot::Sender<Vec<EndpointStatus>>),
    Routes(oneshot::Sender<Vec<RouteStatus>>),
    Decisions(usize, oneshot::Sender<Vec<Decision>>),
    Explain(Question, oneshot::Sender<Explanation>),
    Force(Force, oneshot::Sender<Option<BreakerStatus>>),
    LiveCallers(Vec<(ServiceName, u32)>, oneshot::Sender<()>),
    Health(oneshot::Sender<Vec<OwnHealth>>),
    ShareHealth(Vec<OthersHealth>, Duration, oneshot::Sender<()>),
    Advance(Direction, Phase, oneshot::Sender<()>),
    Unused(oneshot::Sender<()>),
    Drain(Duration, oneshot::Sender<()>),
}

/// A running worker.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    addresses: Arc<Addresses>,
}

/// Starts a worker on a thread of its own, listening when this returns.
///
/// # Errors
/// A listener that cannot be had, or no thread.
pub fn start(settings: Settings, outlets: Outlets) -> Result<Handle, StartError> {
    let (orders, received) = mpsc::channel(WAITING_ORDERS);
    let addresses = worker::spawn(settings, outlets, received)?;
    Ok(Handle {
        orders,
        addresses: Arc::new(addresses),
    })
}

impl Handle {
    /// Where the worker listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Swaps in a configuration; resolves when every request from now on is served by it.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn apply(&self, config: Arc<Config>) -> Result<(), Ended> {
        self.ask(|reply| Order::Apply(config, reply)).await
    }

    /// Everything measured.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn stats(&self) -> Result<Stats, Ended> {
        self.ask(Order::Stats).await
    }

    /// Every breaker, sorted by service and endpoint.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn breakers(&self) -> Result<Vec<BreakerStatus>, Ended> {
        self.ask(Order::Breakers).await
    }

    /// Every limit, sorted by service, policy and limit.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn limits(&self) -> Result<Vec<LimitStatus>, Ended> {
        self.ask(Order::Limits).await
    }

    /// Every endpoint, sorted by service and instance.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn endpoints(&self) -> Result<Vec<EndpointStatus>, Ended> {
        self.ask(Order::Endpoints).await
    }

    /// Every rule of the routes in force, sorted by service, then by route, those of one in their order.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn routes(&self) -> Result<Vec<RouteStatus>, Ended> {
        self.ask(Order::Routes).await
    }

    /// The most recent refusals, newest first, at most `count` and 256.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn decisions(&self, count: usize) -> Result<Vec<Decision>, Ended> {
        self.ask(|reply| Order::Decisions(count, reply)).await
    }

    /// What would happen to a request now; nothing is sent or charged.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn explain(&self, question: Question) -> Result<Explanation, Ended> {
        self.ask(|reply| Order::Explain(question, reply)).await
    }

    /// Forces a breaker for a time, or gives it back; the breaker after that.
    ///
    /// # Errors
    /// There is no such breaker, or the worker has ended.
    pub async fn force_breaker(&self, force: Force) -> Result<BreakerStatus, ForceError> {
        let guarded = match (&force.endpoint, &force.route) {
            (Some(endpoint), _) => format!("{endpoint} of {}", force.service),
            (None, Some(route)) => format!("route {route} to {}", force.service),
            (None, None) => force.service.to_string(),
        };
        let status = self.ask(|reply| Order::Force(force, reply)).await?;
        status.ok_or(ForceError::NoBreaker(guarded))
    }

    /// Tells how many sidecars call each service, which divides the floors of retry budgets. A service that is
    /// not named keeps its share.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn set_live_callers(&self, callers: Vec<(ServiceName, u32)>) -> Result<(), Ended> {
        self.ask(|reply| Order::LiveCallers(callers, reply)).await
    }

    /// What this sidecar's probes found, and which checkers it knows, of each service with health checks.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn health(&self) -> Result<Vec<OwnHealth>, Ended> {
        self.ask(Order::Health).await
    }

    /// Tells what other sidecars found, which holds for so long.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn share_health(
        &self,
        health: Vec<OthersHealth>,
        holds: Duration,
    ) -> Result<(), Ended> {
        self.ask(|reply| Order::ShareHealth(health, holds, reply))
            .await
    }

    /// Has one direction go on to `phase`, unless it is further already.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn advance(&self, direction: Direction, phase: Phase) -> Result<(), Ended> {
        self.ask(|reply| Order::Advance(direction, phase, reply))
            .await
    }

    /// Resolves once no connection is left, of either direction, where one of them leaves; the other goes on meanwhile.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn unused(&self) -> Result<(), Ended> {
        self.ask(Order::Unused).await
    }

    /// Accepts nothing more, ends connections as they become idle, and resolves when none is left or the time is
    /// over. Just before that, who still waits in front of the application is told so; what is left then is cut.
    ///
    /// # Errors
    /// The worker has ended.
    pub async fn drain(&self, deadline: Duration) -> Result<(), Ended> {
        self.ask(|reply| Order::Drain(deadline, reply)).await
    }

    /// Resolves when the worker has ended.
    pub async fn ended(&self) {
        self.orders.closed().await;
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Ended> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}
