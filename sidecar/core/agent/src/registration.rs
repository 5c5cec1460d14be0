//! Enters the workload into the registry, and keeps it there while the sidecar lives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status as Answer;
use tonic::transport::Channel;

use crate::encode;
use crate::mesh::registry_service_client::RegistryServiceClient;
use crate::mesh::{
    Contract, DeregisterRequest, Endpoint, KeepAliveRequest, KeepAliveResponse, Protocol,
    RegisterRequest, RegisterResponse, ServicePort,
};
use crate::settings::{OwnPort, OwnService, Settings};
use crate::status::Status;

/// Time to live that is asked for.
const TTL: Duration = Duration::from_secs(15);
/// Renewals within one time to live.
const RENEWALS: u32 = 3;
/// Time for taking the workload out.
const FAREWELL: Duration = Duration::from_secs(1);

type Client = RegistryServiceClient<Channel>;
/// What is entered under each lease.
type Leases<'a> = HashMap<i64, &'a RegisterRequest>;

/// What is entered.
#[derive(Debug)]
pub(crate) struct Registration {
    entries: Vec<RegisterRequest>,
    status: Status,
}

impl Registration {
    /// Enters every service of `settings` that has ports.
    pub(crate) fn new(settings: &Settings, status: Status) -> Self {
        let reached = settings
            .services
            .iter()
            .filter(|service| !service.ports.is_empty());
        let entries = reached.map(|service| entry(settings, service)).collect();
        Self { entries, status }
    }

    /// Registers at `address`, renews, and registers anew what the registry does not know; ends with the stream, or
    /// once a draining sidecar's workload is taken out.
    pub(crate) async fn run(&self, channel: Channel, address: IpAddr) -> Answer {
        let mut client = RegistryServiceClient::new(channel);
        let kept = self.keep(&mut client, address).await;
        self.status.send_modify(|state| state.leases.clear());
        kept.map_or_else(|answer| answer, |()| Answer::ok("taken out"))
    }

    async fn keep(&self, client: &mut Client, address: IpAddr) -> Result<(), Answer> {
        if self.entries.is_empty() {
            return Ok(()); // a workload that only calls
        }
        let (mut leases, mut ttl) = (HashMap::new(), TTL);
        for entry in &self.entries {
            let granted = register(client, entry, address).await?;
            leases.insert(granted.lease_id, entry);
            ttl = ttl.min(
                granted
                    .ttl
                    .and_then(|ttl| ttl.try_into().ok())
                    .unwrap_or(TTL),
            );
        }
        self.publish(&leases);
        let (renewals, outgoing) = mpsc::channel(self.entries.len());
        let mut draining = self.status.subscribe();
        let mut ticks = interval_at(Instant::now() + ttl / RENEWALS, ttl / RENEWALS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renew(&renewals, &leases).await;
        let mut answers = client
            .keep_alive(ReceiverStream::new(outgoing))
            .await?
            .into_inner();
        loop {
            tokio::select! {
                _ = draining.wait_for(|state| state.is_draining) => return take_out(client, &leases).await,
                _ = ticks.tick() => renew(&renewals, &leases).await,
                answer = answers.message() => {
                    let answer = answer?.ok_or_else(|| Answer::unavailable("the registry ended the stream"))?;
                    if is_unknown(&answer) && let Some(entry) = leases.remove(&answer.lease_id) {
                        leases.insert(register(client, entry, address).await?.lease_id, entry);
                        self.publish(&leases);
                    }
                }
            }
        }
    }

    fn publish(&self, leases: &Leases<'_>) {
        self.status
            .send_modify(|state| state.leases = leases.keys().copied().collect());
    }
}

async fn register(
    client: &mut Client,
    entry: &RegisterRequest,
    address: IpAddr,
) -> Result<RegisterResponse, Answer> {
    let mut entry = entry.clone();
    if let Some(endpoint) = entry
        .endpoint
        .as_mut()
        .filter(|endpoint| endpoint.address.is_empty())
    {
        endpoint.address = address.to_string();
    }
    client
        .register(entry)
        .await
        .map(tonic::Response::into_inner)
}

async fn renew(renewals: &mpsc::Sender<KeepAliveRequest>, leases: &Leases<'_>) {
    for lease_id in leases.keys().copied() {
        let _ = renewals.send(KeepAliveRequest { lease_id }).await; // a stream that ended says so itself
    }
}

fn is_unknown(answer: &KeepAliveResponse) -> bool {
    answer
        .ttl
        .is_none_or(|ttl| ttl.seconds == 0 && ttl.nanos == 0)
}

async fn take_out(client: &mut Client, leases: &Leases<'_>) -> Result<(), Answer> {
    let farewell = async {
        for lease_id in leases.keys().copied() {
            client.deregister(DeregisterRequest { lease_id }).await?;
        }
        Ok(())
    };
    timeout(FAREWELL, farewell).await.unwrap_or(Ok(())) // else the lease runs out
}

fn entry(settings: &Settings, service: &OwnService) -> RegisterRequest {
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
            address: settings
                .advertise
                .map(|address| address.to_string())
                .unwrap_or_default(),
            ports: service
                .ports
                .iter()
                .map(|port| (port.name.clone(), port.listen.port().into()))
                .collect(),
            has_sidecar: true,
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
