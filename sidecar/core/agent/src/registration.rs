//! Enters the workload into the registry with the verdict on it, and keeps both there while the sidecar lives.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status as Answer};

use crate::connection::Connection;
use crate::encode;
use crate::mesh::registry_service_client::RegistryServiceClient;
use crate::mesh::{
    Contract, DeregisterRequest, Endpoint, Health, KeepAliveRequest, KeepAliveResponse, Protocol,
    RegisterRequest, ReportHealthRequest, ServicePort,
};
use crate::settings::{OwnPort, OwnService, Settings};
use crate::status::{State, Status};

/// Time to live that is asked for: a control plane that stands still is left in time to renew at another.
const TTL: Duration = Duration::from_secs(15);
/// Renewals within one time to live.
const RENEWALS: u32 = 3;
/// Time for taking the workload out.
const FAREWELL: Duration = Duration::from_secs(1);

type Client = RegistryServiceClient<Connection>;

/// What is entered, and under which leases: they outlive the connection, and go on with the next control plane.
#[derive(Debug)]
pub(crate) struct Registration {
    entries: Vec<Entry>,
    /// What others reach the workload by; `None`: the address that reaches the control plane.
    advertise: Option<IpAddr>,
    status: Status,
}

/// One service that the workload is entered under.
#[derive(Debug)]
struct Entry {
    request: RegisterRequest,
    lease: Option<Lease>,
}

/// Under what, at which address, and with which verdict an entry is in the registry.
#[derive(Clone, Copy, Debug)]
struct Lease {
    id: i64,
    ttl: Duration,
    address: IpAddr,
    health: Health,
}

impl Registration {
    /// Enters every service of `settings` that has ports; of a workload that the control plane knows, nothing.
    pub(crate) fn new(settings: &Settings, status: Status) -> Self {
        let reached = settings
            .services
            .iter()
            .filter(|service| settings.workload.is_none() && !service.ports.is_empty());
        let entries = reached.map(|service| Entry {
            request: request(settings, service),
            lease: None,
        });
        Self {
            entries: entries.collect(),
            advertise: settings.advertise,
            status,
        }
    }

    /// Goes on with the leases there are, and registers what has none or what the registry does not know; ends with
    /// the stream, or once a draining sidecar's workload is taken out.
    pub(crate) async fn run(&mut self, connection: Connection) -> Answer {
        let address = self.advertise.unwrap_or(connection.own_address);
        let mut client = RegistryServiceClient::new(connection);
        self.keep(&mut client, address)
            .await
            .map_or_else(|answer| answer, |()| Answer::ok("taken out"))
    }

    async fn keep(&mut self, client: &mut Client, address: IpAddr) -> Result<(), Answer> {
        if self.entries.is_empty() {
            return Ok(()); // a workload that only calls
        }
        if self.status.borrow().is_draining {
            return self.take_out(client).await;
        }
        let mut verdicts = self.status.subscribe();
        has_verdict(&mut verdicts).await;
        self.register(client, address).await?;
        let (renewals, outgoing) = mpsc::channel(self.entries.len());
        let mut draining = self.status.subscribe();
        let spacing = self.spacing();
        let mut ticks = interval_at(Instant::now() + spacing, spacing);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.renew(&renewals).await;
        let mut answers = client
            .keep_alive(ReceiverStream::new(outgoing))
            .await?
            .into_inner();
        loop {
            tokio::select! {
                () = drains(&mut draining) => return self.take_out(client).await,
                _ = ticks.tick() => self.renew(&renewals).await,
                Ok(()) = verdicts.changed() => self.report(client).await?,
                answer = answers.message() => {
                    let answer = answer?.ok_or_else(|| Answer::unavailable("the registry ended the stream"))?;
                    if is_unknown(&answer) && self.forget(answer.lease_id) {
                        self.register(client, address).await?;
                    }
                }
            }
        }
    }

    /// Enters whatever has no lease, or is reached at another address now.
    async fn register(&mut self, client: &mut Client, address: IpAddr) -> Result<(), Answer> {
        for entry in &mut self.entries {
            let is_kept = entry.lease.is_some_and(|lease| lease.address == address);
            if !is_kept {
                let health = entry.health(&self.status);
                entry.lease = Some(enter(client, &entry.request, address, health).await?);
            }
        }
        self.publish();
        Ok(())
    }

    /// Tells the registry the verdicts that are news to it.
    async fn report(&mut self, client: &mut Client) -> Result<(), Answer> {
        for entry in &mut self.entries {
            let health = entry.health(&self.status);
            if let Some(lease) = entry.lease.as_mut().filter(|lease| lease.health != health) {
                report(client, &entry.request, lease.id, health).await?;
                lease.health = health;
            }
        }
        Ok(())
    }

    /// Time between renewals.
    fn spacing(&self) -> Duration {
        let least = self.leases().map(|lease| lease.ttl).min();
        least.unwrap_or(TTL) / RENEWALS
    }

    async fn renew(&self, renewals: &mpsc::Sender<KeepAliveRequest>) {
        for Lease { id: lease_id, .. } in self.leases() {
            let _ = renewals.send(KeepAliveRequest { lease_id }).await; // a stream that ended says so itself
        }
    }

    /// The registry knows no such lease; true when it was ours.
    fn forget(&mut self, lease_id: i64) -> bool {
        let is_it = |entry: &&mut Entry| entry.lease.is_some_and(|lease| lease.id == lease_id);
        let found = self.entries.iter_mut().find(is_it);
        found.is_some_and(|entry| entry.lease.take().is_some())
    }

    async fn take_out(&mut self, client: &mut Client) -> Result<(), Answer> {
        let farewell = timeout(FAREWELL, leave(client, self.leases()));
        farewell.await.unwrap_or(Ok(()))?; // else the leases run out
        self.entries.iter_mut().for_each(|entry| entry.lease = None);
        self.publish();
        Ok(())
    }

    fn leases(&self) -> impl Iterator<Item = Lease> {
        self.entries.iter().filter_map(|entry| entry.lease)
    }

    fn publish(&self) {
        let leases = self.leases().map(|lease| lease.id).collect();
        self.status.send_modify(|state| state.leases = leases);
    }
}

impl Entry {
    /// The verdict on the workload as this service.
    fn health(&self, status: &Status) -> Health {
        let service = encode::decode_service(self.request.service.clone());
        let state = status.borrow();
        let unfit = state.unfit.as_ref().zip(service);
        if unfit.is_some_and(|(unfit, service)| unfit.contains(&service)) {
            Health::Unhealthy
        } else {
            Health::Healthy
        }
    }
}

async fn enter(
    client: &mut Client,
    request: &RegisterRequest,
    address: IpAddr,
    health: Health,
) -> Result<Lease, Answer> {
    let mut request = request.clone();
    if let Some(endpoint) = request.endpoint.as_mut() {
        endpoint.address = address.to_string();
        endpoint.set_health(health);
    }
    let granted = client.register(request).await?.into_inner();
    let ttl = granted.ttl.and_then(|ttl| ttl.try_into().ok());
    Ok(Lease {
        id: granted.lease_id,
        ttl: ttl.map_or(TTL, |ttl: Duration| ttl.min(TTL)),
        address,
        health,
    })
}

/// Tells the verdict on an entry. An instance that the registry does not know is entered anew once its lease is found
/// to be gone; a registry that takes no verdicts leaves it as it was.
async fn report(
    client: &mut Client,
    entered: &RegisterRequest,
    lease_id: i64,
    health: Health,
) -> Result<(), Answer> {
    let instance = entered.endpoint.as_ref().map(|endpoint| &endpoint.instance);
    let request = ReportHealthRequest {
        lease_id,
        service: entered.service.clone(),
        instance: instance.cloned().unwrap_or_default(),
        health: health.into(),
    };
    match client.report_health(request).await {
        Err(answer) if !matches!(answer.code(), Code::NotFound | Code::Unimplemented) => {
            Err(answer)
        }
        _ => Ok(()),
    }
}

/// Returns once somebody has looked at the application, with nothing borrowed of the state.
async fn has_verdict(state: &mut watch::Receiver<State>) {
    let _ = state.wait_for(|state| state.unfit.is_some()).await; // whoever changes the state outlives us
}

/// Returns once the sidecar drains, with nothing borrowed of its state.
async fn drains(state: &mut watch::Receiver<State>) {
    let _ = state.wait_for(|state| state.is_draining).await; // whoever changes the state outlives us
}

async fn leave(client: &mut Client, leases: impl Iterator<Item = Lease>) -> Result<(), Answer> {
    for Lease { id: lease_id, .. } in leases {
        client.deregister(DeregisterRequest { lease_id }).await?;
    }
    Ok(())
}

fn is_unknown(answer: &KeepAliveResponse) -> bool {
    answer
        .ttl
        .is_none_or(|ttl| ttl.seconds == 0 && ttl.nanos == 0)
}

fn request(settings: &Settings, service: &OwnService) -> RegisterRequest {
    let contract = &settings.contract;
    RegisterRequest {
        service: Some(encode::service(&service.name)),
        ports: service.ports.iter().map(service_port).collect(),
        contract: Some(Contract {
            owner: contract.owner.clone(),
            version: contract.version.clone(),
            idempotent_methods: contract.idempotent_methods.clone(),
            documentation: contract.documentation.clone(),
        }),
        endpoint: Some(Endpoint {
            instance: settings.instance.clone(),
            ports: service
                .ports
                .iter()
                .map(|port| (port.name.clone(), port.listen.port().into()))
                .collect(),
            has_sidecar: true,
            labels: settings.labels.clone().into_iter().collect(),
            ..Endpoint::default()
        }),
        ttl: TTL.try_into().ok(),
        ..RegisterRequest::default()
    }
}

fn service_port(port: &OwnPort) -> ServicePort {
    let protocol = if port.name.starts_with("grpc") {
        Protocol::Grpc
    } else {
        Protocol::Http
    };
    ServicePort {
        name: port.name.clone(),
        port: port.number.into(),
        protocol: protocol.into(),
    }
}
