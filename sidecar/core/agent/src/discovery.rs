//! The discovery stream: what is held is said, what is new is applied, what a worker wants is asked for.
//!
//! One owner holds all the state and takes events one after another, so that a configuration is never built from
//! half of a response. A demand is answered only when the configuration that has it is in force.

mod bootstrap;
mod chores;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use proxy::{Demand, Ended, Handle, Supply};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until};
use tonic::Status as Answer;

use crate::connection::{Connection, Ending};
use crate::encode;
use crate::events::Events;
use crate::holdings::{Holdings, Reach, Standing};
use crate::log::Log;
use crate::mesh::discovery_request::Message;
use crate::mesh::discovery_service_client::DiscoveryServiceClient;
use crate::mesh::{AcknowledgementStage, DiscoveryRequest, DiscoveryResponse, Hello};
use crate::resolver::Resolver;
use crate::resource::Rejection;
use crate::saved::Saved;
use crate::settings::Settings;
use crate::status::{Source, Status};
use wire::{News, acknowledgement, decode, held_resource, read, send, subscription};

/// Messages that wait to be sent.
const OUTGOING: usize = 16;
/// Largest response taken, bytes.
const RESPONSE_BYTES: usize = 16 << 20;
/// A response that is applied within this time is not acknowledged as received before: at a thousand sidecars each
/// message counts.
const PROMPTLY: Duration = Duration::from_millis(20);
/// How often idle names are looked for, and how many times of these the worker is asked whom it called.
const SWEEP: Duration = Duration::from_secs(1);
const SWEEPS_PER_CALLED: u64 = 30;
/// How long a demand may wait for a control plane that went away to come back.
const GRACE: Duration = Duration::from_secs(1);

/// How a stream ended.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) answer: Answer,
    /// Whether the control plane has asked us to leave, rather than failed.
    pub(crate) is_resigned: bool,
    /// How long the control plane had been connected; zero when it never answered.
    pub(crate) connected_for: Duration,
}

/// Everything that discovery owns.
#[derive(Debug)]
pub(crate) struct Discovery {
    hello: Hello,
    holdings: Holdings,
    resolver: Resolver,
    proxy: Handle,
    demands: mpsc::Receiver<Demand>,
    waiting: Vec<Demand>,
    /// Until when somebody may come back to answer.
    grace: Instant,
    connected_at: Option<Instant>,
    /// When everything passes if there was no configuration before.
    unenforced_at: Option<std::time::Instant>,
    status: Status,
    events: Events,
    log: Log,
}

impl Discovery {
    pub(crate) fn new(
        settings: &Settings,
        holdings: Holdings,
        (proxy, demands): (Handle, mpsc::Receiver<Demand>),
        status: Status,
        (events, log): (Events, Log),
    ) -> Self {
        let hello = Hello {
            instance: settings.instance.clone(),
            services: settings.named().iter().map(encode::service).collect(),
            version: crate::VERSION.to_owned(),
            held: Vec::new(),
            revision: 0,
            service_account: settings.service_account.clone().unwrap_or_default(),
        };
        let grace = Instant::now()
            + if settings.controlplane.is_empty() {
                Duration::ZERO
            } else {
                GRACE
            };
        Self {
            hello,
            holdings,
            resolver: Resolver::default(),
            proxy,
            demands,
            waiting: Vec::new(),
            grace,
            connected_at: None,
            unenforced_at: settings
                .pass_through_after
                .map(|wait| std::time::Instant::now() + wait),
            status,
            events,
            log,
        }
    }

    /// Serves what was applied when the sidecar last ran.
    pub(crate) async fn restore(&mut self, saved: Saved) -> Result<(), Ended> {
        let callers = encode::decode_callers(saved.callers.clone());
        self.holdings.restore(saved, std::time::Instant::now());
        self.proxy.set_live_callers(callers.clone()).await?;
        self.status.send_modify(|state| state.callers = callers);
        self.apply(Source::Disk).await
    }

    /// Answers demands from what is held while `other` goes on and no control plane is connected.
    pub(crate) async fn alone<T>(&mut self, other: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::pin!(other);
        loop {
            let (grace, has_grace) = (self.grace, self.reach() == Reach::Reconnecting);
            tokio::select! {
                result = &mut other => return Ok(result),
                chore = self.chore() => self.carry_out(chore?).await?,
                () = sleep_until(grace), if has_grace => {
                    self.holdings.give_up();
                    self.waiting.clear(); // unanswered means unavailable
                }
            }
        }
    }

    fn reach(&self) -> Reach {
        if self.connected_at.is_some() {
            Reach::Connected
        } else if Instant::now() < self.grace {
            Reach::Reconnecting
        } else {
            Reach::Alone
        }
    }

    /// One stream on `connection`, until it ends or the connection takes no more calls.
    pub(crate) async fn session(
        &mut self,
        connection: Connection,
        ending: impl Future<Output = Ending>,
    ) -> Result<Closing, Ended> {
        let (outgoing, requests) = mpsc::channel(OUTGOING);
        let (incoming, mut news) = mpsc::channel(1);
        self.greet(&outgoing).await;
        let client = DiscoveryServiceClient::new(connection.clone())
            .max_decoding_message_size(RESPONSE_BYTES);
        let stream = read(client, requests, incoming);
        tokio::pin!(stream, ending);
        let (mut sweeps, mut ticks) = (0, interval(SWEEP));
        let (answer, is_resigned) = loop {
            tokio::select! {
                answer = &mut stream => break (answer, false),
                ending = &mut ending => break (Answer::from(&ending), ending == Ending::Resigned),
                Some(news) = news.recv() => self.take(news, &outgoing, &connection).await?,
                chore = self.chore() => self.carry_out(chore?).await?,
                _ = ticks.tick() => {
                    sweeps += 1;
                    self.sweep(sweeps % SWEEPS_PER_CALLED == 0).await?;
                }
            }
            self.tell_changes(&outgoing).await;
        };
        Ok(Closing {
            answer,
            is_resigned,
            connected_for: self.disconnected(),
        })
    }

    async fn greet(&mut self, outgoing: &mpsc::Sender<DiscoveryRequest>) {
        let (held, wanted) = self.holdings.begin();
        let held = held
            .iter()
            .map(|resource| held_resource(resource))
            .collect();
        let revision = self.holdings.revision();
        send(
            outgoing,
            Message::Hello(Hello {
                held,
                revision,
                ..self.hello.clone()
            }),
        )
        .await;
        send(outgoing, subscription(&wanted, &[])).await;
    }

    async fn tell_changes(&mut self, outgoing: &mpsc::Sender<DiscoveryRequest>) {
        let changes = self.holdings.take_changes();
        if !changes.is_empty() {
            send(
                outgoing,
                subscription(&changes.subscribe, &changes.unsubscribe),
            )
            .await;
        }
    }

    async fn take(
        &mut self,
        news: News,
        outgoing: &mpsc::Sender<DiscoveryRequest>,
        connection: &Connection,
    ) -> Result<(), Ended> {
        match news {
            News::Opened => self.connected(connection.address),
            News::Response(response) => {
                let nonce = response.nonce.clone();
                let received = acknowledgement(&nonce, AcknowledgementStage::Received, &[]);
                let rejections =
                    after(PROMPTLY, self.accept(response), send(outgoing, received)).await?;
                send(
                    outgoing,
                    acknowledgement(&nonce, AcknowledgementStage::Applied, &rejections),
                )
                .await;
            }
        }
        Ok(())
    }

    async fn accept(&mut self, response: DiscoveryResponse) -> Result<Vec<Rejection>, Ended> {
        let outcome = self
            .holdings
            .accept(decode(response), std::time::Instant::now());
        for rejection in &outcome.rejections {
            let (id, field, reason) = (&rejection.id, &rejection.field, &rejection.reason);
            self.log.warn(
                "resource refused",
                &[("resource", id), ("field", field), ("reason", reason)],
            );
            self.events.refused(rejection);
        }
        let is_first = self.status.borrow().source.is_none();
        if outcome.is_changed || is_first {
            self.apply(Source::Stream).await?;
        } else {
            self.publish(Source::Stream);
        }
        self.answer_waiting().await?;
        Ok(outcome.rejections)
    }

    async fn apply(&mut self, source: Source) -> Result<(), Ended> {
        self.enforce().await?;
        self.end_bootstrap();
        self.publish(source);
        let revision = self.holdings.revision();
        self.log.info(
            "configuration applied",
            &[("revision", &revision), ("source", &source.as_str())],
        );
        Ok(())
    }

    fn publish(&self, source: Source) {
        self.status.send_modify(|state| {
            state.source = Some(source);
            state.revision = self.holdings.revision();
            state.services = self.holdings.services().to_vec();
            state.applied = self.holdings.resources();
            state.lapsed = self.holdings.lapsed();
            state.rejections = self.holdings.rejections();
        });
    }

    async fn demand(&mut self, demand: Demand) -> Result<(), Ended> {
        let reach = self.reach();
        match self
            .holdings
            .demand(&demand.wanted, std::time::Instant::now(), reach)
        {
            Standing::Answered(supply) => drop(demand.reply.send(supply)),
            Standing::Waits => self.waiting.push(demand),
            Standing::Restored => {
                self.apply(Source::Disk).await?;
                if self.holdings.serves(&demand.wanted) {
                    let _ = demand.reply.send(Supply::Applied); // its request may have left
                } else {
                    self.waiting.push(demand);
                }
            }
        }
        Ok(())
    }

    async fn answer_waiting(&mut self) -> Result<(), Ended> {
        for demand in std::mem::take(&mut self.waiting) {
            if !demand.reply.is_closed() {
                self.demand(demand).await?;
            }
        }
        Ok(())
    }

    async fn sweep(&mut self, asks_called: bool) -> Result<(), Ended> {
        if self.reach() != Reach::Connected {
            return Ok(()); // nobody could give again what would lapse
        }
        let now = std::time::Instant::now();
        if asks_called {
            for service in self.proxy.stats().await?.called {
                self.holdings.called(&service, now);
            }
        }
        if self.holdings.expire(now) {
            self.apply(Source::Stream).await?;
        }
        Ok(())
    }

    fn connected(&mut self, address: SocketAddr) {
        self.connected_at = Some(Instant::now());
        self.log
            .info("control plane connected", &[("address", &address)]);
        self.status.send_modify(|state| state.is_connected = true);
    }

    /// Returns how long the control plane had been connected.
    fn disconnected(&mut self) -> Duration {
        self.grace = Instant::now() + GRACE;
        self.status.send_modify(|state| {
            if std::mem::take(&mut state.is_connected) {
                state.connected_at = std::time::Instant::now();
            }
        });
        self.connected_at
            .take()
            .map_or(Duration::ZERO, |at| at.elapsed())
    }
}

/// What `work` results in; it is interrupted once, for `notice`, when it takes longer than `limit`.
async fn after<T>(limit: Duration, work: impl Future<Output = T>, notice: impl Future) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = sleep(limit) => drop(notice.await),
    }
    work.await
}

#[cfg(test)]
mod tests;
