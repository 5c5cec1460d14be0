//! Enters the workload into the registry, and keeps it there while the sidecar lives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status as Answer;
use tonic::transport::Channel;

use crate::encode;
use crate::mesh::registry_service_client::RegistryServiceClient;
use crate::mesh::{
    Contract, DeregisterRequest, Endpoint, KeepAliveRequest, Protocol, RegisterRequest, ServicePort,
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
        let answer = match self.keep(&mut client, address).await {
            Ok(()) => Answer::ok("taken out"),
            Err(answer) => answer,
        };
        self.status.send_modify(|state| state.leases.clear());
        answer
    }

    async fn keep(&self, client: &mut Client, address: IpAddr) -> Result<(), Answer> {
        let mut leases: HashMap<i64, &RegisterRequest> = HashMap::new();
        for entry in &self.entries {
            leases.insert(register(client, entry, address).await?, entry);
        }
        let (renewals, outgoing) = mpsc::channel(self.entries.len().max(1));
        let mut draining = self.status.subscribe();
        let mut ticks = interval(TTL / RENEWALS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.publish(&leases);
        send(&renewals, &leases).await;
        let mut answers = client
            .keep_alive(ReceiverStream::new(outgoing))
            .await?
            .into_inner();
        loop {
            tokio::select! {
                _ = draining.wait_for(|state| state.is_draining) => return take_out(client, &leases).await,
                _ = ticks.tick() => send(&renewals, &leases).await,
                answer = answers.message() => {
                    let answer = answer?.ok_or_else(|| Answer::unavailable("the registry ended the stream"))?;
                    let is_unknown = answer.ttl.is_none_or(|ttl| ttl.seconds == 0 && ttl.nanos == 0);
                    if let Some(entry) = leases.remove(&answer.lease_id).filter(|_| is_unknown) {
                        leases.insert(register(client, entry, address).await?, entry);
                        self.publish(&leases);
                    }
                }
            }
        }
    }

    fn publish(&self, leases: &HashMap<i64, &RegisterRequest>) {
        self.status
            .send_modify(|state| state.leases = leases.keys().copied().collect());
    }
}

async fn register(
    client: &mut Client,
    entry: &RegisterRequest,
    address: IpAddr,
) -> Result<i64, Answer> {
    let mut entry = entry.clone();
    if let Some(endpoint) = entry
        .endpoint
        .as_mut()
        .filter(|endpoint| endpoint.address.is_empty())
    {
        endpoint.address = address.to_string();
    }
    Ok(client.register(entry).await?.into_inner().lease_id)
}

async fn send(renewals: &mpsc::Sender<KeepAliveRequest>, leases: &HashMap<i64, &RegisterRequest>) {
    for lease_id in leases.keys().copied() {
        let _ = renewals.send(KeepAliveRequest { lease_id }).await; // a stream that ended says so itself
    }
}

async fn take_out(
    client: &mut Client,
    leases: &HashMap<i64, &RegisterRequest>,
) -> Result<(), Answer> {
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
            ..Endpoint::default()
        }),
        ttl: TTL.try_into().ok(),
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
