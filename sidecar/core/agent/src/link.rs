//! The one connection to a control plane at a time: every stream shares it, and all go over to the next together.

use std::convert::Infallible;
use std::time::Duration;

use proxy::Ended;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status as Answer};

use crate::addresses::Target;
use crate::backoff::Backoff;
use crate::chance;
use crate::command;
use crate::connection::{Connection, Ending, Patience, connect};
use crate::discovery::{Closing, Discovery};
use crate::log::Log;
use crate::operator::Operator;
use crate::registration::Registration;
use crate::search::Search;
use crate::settings::Trust;
use crate::spans::Exporter;
use crate::telemetry::Reporter;

/// A control plane that stands still is left within 8 s: renewals, 5 s apart, then go on elsewhere in time.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    probe: Duration::from_secs(3),
    answer: Duration::from_secs(5),
};

/// Time for the answer to a report that is on its way when a session ends.
const SETTLEMENT: Duration = Duration::from_millis(500);

/// The streams beside discovery's.
#[derive(Debug)]
pub(crate) struct Companions {
    pub(crate) reporter: Reporter,
    pub(crate) operator: Operator,
    pub(crate) registration: Registration,
    pub(crate) exporter: Exporter,
}

/// Where control planes are, and how they are trusted.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) names: Vec<String>,
    pub(crate) trust: Trust,
}

/// Keeps a connection to one of the control planes at `places`, until the worker ends.
pub(crate) async fn run(
    mut discovery: Discovery,
    mut companions: Companions,
    places: Places,
    log: Log,
) -> Ended {
    match keep(&mut discovery, &mut companions, places, log).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn keep(
    discovery: &mut Discovery,
    companions: &mut Companions,
    Places { names, trust }: Places,
    log: Log,
) -> Result<Infallible, Ended> {
    if names.is_empty() {
        return discovery.alone(std::future::pending()).await; // nobody to connect to
    }
    let mut search = Search::begin(names, log, discovery).await?;
    loop {
        let target = search.next(discovery).await?;
        let closing = visit(discovery, companions, &target, &trust).await?;
        search.learn(&target, &closing, discovery).await?;
    }
}

/// Connects to `target`, and has all streams there for as long as it serves.
async fn visit(
    discovery: &mut Discovery,
    companions: &mut Companions,
    target: &Target,
    trust: &Trust,
) -> Result<Closing, Ended> {
    match discovery.alone(connect(target, trust, PATIENCE)).await? {
        Ok((connection, ending)) => session(discovery, companions, connection, ending).await,
        Err(error) => Ok(Closing {
            answer: Answer::unavailable(error.to_string()),
            is_resigned: false,
            connected_for: Duration::ZERO,
        }),
    }
}

/// All streams on `connection`, until discovery's ends.
async fn session(
    discovery: &mut Discovery,
    companions: &mut Companions,
    connection: Connection,
    ending: impl Future<Output = Ending>,
) -> Result<Closing, Ended> {
    let mut settled = companions.reporter.settled();
    let others = accompany(companions, &connection);
    tokio::pin!(others);
    let closing = tokio::select! {
        closing = discovery.session(connection.clone(), ending) => closing?,
        never = &mut others => match never {},
    };
    let settlement = async {
        tokio::select! {
            _ = settled.wait_for(|is_settled| *is_settled) => {}
            never = &mut others => match never {},
        }
    };
    let _ = discovery.alone(timeout(SETTLEMENT, settlement)).await?; // unanswered, it is told again
    Ok(closing)
}

/// Every stream but discovery's, each again and again.
async fn accompany(companions: &mut Companions, connection: &Connection) -> Infallible {
    let Companions {
        reporter,
        operator,
        registration,
        exporter,
    } = companions;
    let log = operator.log.clone();
    tokio::select! {
        never = again("telemetry", &log, async || reporter.run(connection.clone()).await) => never,
        never = again("commands", &log, async || command::run(connection.clone(), operator).await) => never,
        never = again("registration", &log, async || registration.run(connection.clone()).await) => never,
        never = again("spans", &log, async || exporter.run(connection.clone()).await) => never,
    }
}

/// Runs a stream again and again, with a rest after each end; what refuses it is the store, if it has no space left,
/// and never a control plane that asks for less.
async fn again(stream: &str, log: &Log, mut run: impl AsyncFnMut() -> Answer) -> Infallible {
    let mut backoff = Backoff::default();
    loop {
        let ended = run().await;
        if ended.code() == Code::Ok {
            return std::future::pending().await; // it has done what there was to do
        }
        log.warn(
            "stream ended",
            &[("stream", &stream), ("reason", &ended.message())],
        );
        sleep(backoff.next(chance::draw(), false)).await;
    }
}
