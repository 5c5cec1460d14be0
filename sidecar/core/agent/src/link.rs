//! The one connection to a control plane at a time: every stream shares it, and all go over to the next together.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use proxy::Ended;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status as Answer};

use crate::addresses::{Addresses, Target};
use crate::backoff::Backoff;
use crate::chance;
use crate::command;
use crate::connection::{Connection, Ending, Patience, connect};
use crate::discovery::{Closing, Discovery};
use crate::log::Log;
use crate::operator::Operator;
use crate::registration::Registration;
use crate::rotation::Rotation;
use crate::telemetry::Reporter;

/// A control plane that stands still is left within 10 s, which leaves half of a registration's time.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(3),
    probe: Duration::from_secs(5),
    answer: Duration::from_secs(5),
};
/// A session this long was a good one; a shorter one is as if there had been none.
const PROVEN: Duration = Duration::from_secs(5);

/// Time for the answer to a report that is on its way when a session ends.
const SETTLEMENT: Duration = Duration::from_millis(500);

/// The streams beside discovery's.
#[derive(Debug)]
pub(crate) struct Companions {
    pub(crate) reporter: Reporter,
    pub(crate) operator: Operator,
    pub(crate) registration: Registration,
}

/// Keeps a connection to one of the control planes that `names` lead to, until the worker ends.
pub(crate) async fn run(
    mut discovery: Discovery,
    mut companions: Companions,
    names: Vec<String>,
    log: Log,
) -> Ended {
    match keep(&mut discovery, &mut companions, &names, &log).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn keep(
    discovery: &mut Discovery,
    companions: &mut Companions,
    names: &[String],
    log: &Log,
) -> Result<Infallible, Ended> {
    if names.is_empty() {
        return discovery.alone(std::future::pending()).await;
    }
    let mut addresses = Addresses::new(names);
    let mut complaint = Complaint::new(log);
    let all = discovery.alone(addresses.resolve()).await?;
    let mut rotation = Rotation::new(all, chance::draw);
    loop {
        let Some(target) = rotation.next() else {
            let rest = rotation.rest(chance::draw());
            discovery.alone(sleep(rest)).await?;
            let all = discovery.alone(addresses.resolve()).await?;
            if all.is_empty() {
                complaint.tell(&names.join(","), "the name cannot be resolved");
            }
            rotation.begin(all, chance::draw);
            continue;
        };
        let closing = visit(discovery, companions, &target).await?;
        if closing.connected_for > PROVEN {
            complaint.withdraw();
            let all = discovery.alone(addresses.resolve()).await?;
            rotation.begin_without(&target, all, chance::draw);
        } else {
            rotation.failed(is_pushed_back(&closing.answer));
        }
        complaint.tell(&target.address, closing.answer.message());
    }
}

fn is_pushed_back(answer: &Answer) -> bool {
    answer.code() == Code::ResourceExhausted
}

/// What is said when there is no control plane: once, until there is one again.
struct Complaint<'a> {
    log: &'a Log,
    is_told: bool,
}

impl<'a> Complaint<'a> {
    const fn new(log: &'a Log) -> Self {
        Self {
            log,
            is_told: false,
        }
    }

    fn tell(&mut self, address: &dyn Display, reason: &str) {
        let fields: [(&str, &dyn Display); 2] = [("address", address), ("reason", &reason)];
        if std::mem::replace(&mut self.is_told, true) {
            self.log.debug("control plane not connected", &fields);
        } else {
            self.log.warn("control plane not connected", &fields);
        }
    }

    const fn withdraw(&mut self) {
        self.is_told = false;
    }
}

/// Connects to `target`, and has all streams there for as long as it serves.
async fn visit(
    discovery: &mut Discovery,
    companions: &mut Companions,
    target: &Target,
) -> Result<Closing, Ended> {
    match discovery.alone(connect(target, PATIENCE)).await? {
        Ok((connection, ending)) => session(discovery, companions, connection, ending).await,
        Err(error) => Ok(Closing {
            answer: Answer::unavailable(error.to_string()),
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
    } = companions;
    let log = operator.log.clone();
    tokio::select! {
        never = again("telemetry", &log, async || reporter.run(connection.clone()).await) => never,
        never = again("commands", &log, async || command::run(connection.clone(), operator).await) => never,
        never = again("registration", &log, async || registration.run(connection.clone()).await) => never,
    }
}

/// Runs a stream again and again, with a rest after each end.
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
        sleep(backoff.next(chance::draw(), is_pushed_back(&ended))).await;
    }
}
