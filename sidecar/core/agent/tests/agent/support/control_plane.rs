//! A control plane played by a test: it sees every message, and sends what it is told to.

use std::net::SocketAddr;

use agent::mesh::command_service_server::{CommandService, CommandServiceServer};
use agent::mesh::discovery_request::Message as Said;
use agent::mesh::discovery_service_server::{DiscoveryService, DiscoveryServiceServer};
use agent::mesh::registry_service_server::{RegistryService, RegistryServiceServer};
use agent::mesh::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use agent::mesh::*;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming, transport};

use super::soon;

/// Time to live of leases: short, so that renewals follow each other.
const TTL: prost_types::Duration = prost_types::Duration {
    seconds: 0,
    nanos: 150_000_000,
};

/// One bidirectional stream as its server sees it.
pub(crate) struct Stream<I, O> {
    incoming: Streaming<I>,
    outgoing: mpsc::Sender<Result<O, Status>>,
}

impl<I, O> Stream<I, O> {
    /// The next message of the sidecar.
    pub(crate) async fn next(&mut self) -> I {
        soon(self.incoming.message()).await.unwrap().unwrap()
    }

    pub(crate) async fn send(&self, message: O) {
        self.outgoing.send(Ok(message)).await.unwrap();
    }

    /// Ends the stream with an error.
    pub(crate) async fn fail(self, status: Status) {
        self.outgoing.send(Err(status)).await.unwrap();
    }
}

impl Stream<DiscoveryRequest, DiscoveryResponse> {
    async fn said(&mut self) -> Said {
        self.next().await.message.unwrap()
    }

    pub(crate) async fn hello(&mut self) -> Hello {
        match self.said().await {
            Said::Hello(hello) => hello,
            other => panic!("expected a hello, found {other:?}"),
        }
    }

    pub(crate) async fn subscription(&mut self) -> Subscription {
        match self.said().await {
            Said::Subscription(subscription) => subscription,
            other => panic!("expected a subscription, found {other:?}"),
        }
    }

    /// What became of a response; that it was received is said only by a sidecar that took its time.
    pub(crate) async fn applied(&mut self) -> Acknowledgement {
        loop {
            match self.said().await {
                Said::Acknowledgement(ack) if ack.stage() == AcknowledgementStage::Received => {}
                Said::Acknowledgement(ack) => return ack,
                other => panic!("expected an acknowledgement, found {other:?}"),
            }
        }
    }

    /// Sends resources at a revision; returns what became of them.
    pub(crate) async fn push(
        &mut self,
        revision: i64,
        resources: Vec<Resource>,
    ) -> Acknowledgement {
        let nonce = revision.to_string();
        self.send(DiscoveryResponse {
            nonce: nonce.clone(),
            revision,
            resources,
            ..Default::default()
        })
        .await;
        let applied = self.applied().await;
        assert_eq!(
            (applied.nonce.as_str(), applied.stage()),
            (nonce.as_str(), AcknowledgementStage::Applied)
        );
        applied
    }
}

/// Hands every stream that is opened to the test.
struct Services {
    discovery: mpsc::Sender<Stream<DiscoveryRequest, DiscoveryResponse>>,
    telemetry: mpsc::Sender<Stream<ReportRequest, ReportResponse>>,
    command: mpsc::Sender<Stream<CommandResult, Command>>,
    renewals: mpsc::Sender<Stream<KeepAliveRequest, KeepAliveResponse>>,
    registered: mpsc::Sender<RegisterRequest>,
    deregistered: mpsc::Sender<i64>,
    verdict: mpsc::Sender<ReportHealthRequest>,
    lease_id: i64,
}

type Outgoing<O> = ReceiverStream<Result<O, Status>>;

async fn hand_over<I, O>(
    request: Request<Streaming<I>>,
    to: &mpsc::Sender<Stream<I, O>>,
) -> Result<Response<Outgoing<O>>, Status> {
    let (outgoing, answers) = mpsc::channel(8);
    let _ = to
        .send(Stream {
            incoming: request.into_inner(),
            outgoing,
        })
        .await;
    Ok(Response::new(ReceiverStream::new(answers)))
}

#[tonic::async_trait]
impl DiscoveryService for Services {
    type StreamStream = Outgoing<DiscoveryResponse>;

    async fn stream(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        hand_over(request, &self.discovery).await
    }
}

#[tonic::async_trait]
impl TelemetryService for Services {
    type ReportStream = Outgoing<ReportResponse>;

    async fn report(
        &self,
        request: Request<Streaming<ReportRequest>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        hand_over(request, &self.telemetry).await
    }

    async fn export_spans(
        &self,
        _: Request<ExportSpansRequest>,
    ) -> Result<Response<ExportSpansResponse>, Status> {
        Ok(Response::new(ExportSpansResponse {}))
    }
}

#[tonic::async_trait]
impl CommandService for Services {
    type AttachStream = Outgoing<Command>;

    async fn attach(
        &self,
        request: Request<Streaming<CommandResult>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        hand_over(request, &self.command).await
    }
}

#[tonic::async_trait]
impl RegistryService for Services {
    type KeepAliveStream = Outgoing<KeepAliveResponse>;
    type WatchStream = Outgoing<WatchResponse>;

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let _ = self.registered.send(request.into_inner()).await;
        Ok(Response::new(RegisterResponse {
            lease_id: self.lease_id,
            ttl: Some(TTL),
        }))
    }

    async fn deregister(
        &self,
        request: Request<DeregisterRequest>,
    ) -> Result<Response<DeregisterResponse>, Status> {
        let _ = self.deregistered.send(request.into_inner().lease_id).await;
        Ok(Response::new(DeregisterResponse {}))
    }

    async fn keep_alive(
        &self,
        request: Request<Streaming<KeepAliveRequest>>,
    ) -> Result<Response<Self::KeepAliveStream>, Status> {
        hand_over(request, &self.renewals).await
    }

    async fn report_health(
        &self,
        request: Request<ReportHealthRequest>,
    ) -> Result<Response<ReportHealthResponse>, Status> {
        let _ = self.verdict.send(request.into_inner()).await;
        Ok(Response::new(ReportHealthResponse {}))
    }

    async fn list_services(
        &self,
        _: Request<ListServicesRequest>,
    ) -> Result<Response<ListServicesResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_endpoints(
        &self,
        _: Request<ListEndpointsRequest>,
    ) -> Result<Response<ListEndpointsResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not played"))
    }
}

/// A control plane that listens until it is dropped.
pub(crate) struct ControlPlane {
    pub(crate) address: SocketAddr,
    discovery: mpsc::Receiver<Stream<DiscoveryRequest, DiscoveryResponse>>,
    telemetry: mpsc::Receiver<Stream<ReportRequest, ReportResponse>>,
    command: mpsc::Receiver<Stream<CommandResult, Command>>,
    renewals: mpsc::Receiver<Stream<KeepAliveRequest, KeepAliveResponse>>,
    registered: mpsc::Receiver<RegisterRequest>,
    deregistered: mpsc::Receiver<i64>,
    verdicts: mpsc::Receiver<ReportHealthRequest>,
    retirement: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), transport::Error>>,
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        Self::granting(7, address).await
    }

    /// Every lease that it grants is `lease_id`.
    pub(crate) async fn granting(lease_id: i64, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (discovery, discovery_streams) = mpsc::channel(4);
        let (telemetry, telemetry_streams) = mpsc::channel(4);
        let (command, command_streams) = mpsc::channel(4);
        let (renewals, renewal_streams) = mpsc::channel(4);
        let (registered, registrations) = mpsc::channel(4);
        let (deregistered, deregistrations) = mpsc::channel(4);
        let (verdict, verdicts) = mpsc::channel(4);
        let services = || Services {
            discovery: discovery.clone(),
            telemetry: telemetry.clone(),
            command: command.clone(),
            renewals: renewals.clone(),
            registered: registered.clone(),
            deregistered: deregistered.clone(),
            verdict: verdict.clone(),
            lease_id,
        };
        let (retirement, retired) = oneshot::channel::<()>();
        let serving = transport::Server::builder()
            .add_service(DiscoveryServiceServer::new(services()))
            .add_service(TelemetryServiceServer::new(services()))
            .add_service(CommandServiceServer::new(services()))
            .add_service(RegistryServiceServer::new(services()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
                let _ = retired.await;
            });
        Self {
            address,
            discovery: discovery_streams,
            telemetry: telemetry_streams,
            command: command_streams,
            renewals: renewal_streams,
            registered: registrations,
            deregistered: deregistrations,
            verdicts,
            retirement: Some(retirement),
            server: tokio::spawn(serving),
        }
    }

    /// Listens no more, and sends GOAWAY to everybody; streams go on.
    pub(crate) fn retire(&mut self) {
        drop(self.retirement.take());
    }

    pub(crate) async fn discovery(&mut self) -> Stream<DiscoveryRequest, DiscoveryResponse> {
        soon(self.discovery.recv()).await.unwrap()
    }

    pub(crate) async fn telemetry(&mut self) -> Stream<ReportRequest, ReportResponse> {
        soon(self.telemetry.recv()).await.unwrap()
    }

    pub(crate) async fn command(&mut self) -> Stream<CommandResult, Command> {
        soon(self.command.recv()).await.unwrap()
    }

    pub(crate) async fn renewals(&mut self) -> Stream<KeepAliveRequest, KeepAliveResponse> {
        soon(self.renewals.recv()).await.unwrap()
    }

    pub(crate) async fn registered(&mut self) -> RegisterRequest {
        soon(self.registered.recv()).await.unwrap()
    }

    pub(crate) async fn verdict(&mut self) -> ReportHealthRequest {
        soon(self.verdicts.recv()).await.unwrap()
    }

    pub(crate) async fn deregistered(&mut self) -> i64 {
        soon(self.deregistered.recv()).await.unwrap()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn resource(kind: ResourceType, name: &str, body: Vec<u8>) -> Resource {
    let version = Sha256::digest(&body)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = Some(ResourceName {
        r#type: kind.into(),
        name: name.to_owned(),
    });
    Resource { id, version, body }
}

fn service(name: &str) -> Option<ServiceName> {
    Some(ServiceName {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    })
}

/// What the members of `shop/NAME` enforce: nothing.
pub(crate) fn inbound(name: &str) -> Resource {
    let body = Inbound {
        service: service(name),
        ..Default::default()
    };
    resource(
        ResourceType::Inbound,
        &format!("shop/{name}"),
        body.encode_to_vec(),
    )
}

/// `NAME.shop` with what stands behind it: a service without endpoints.
pub(crate) fn host(name: &str) -> Vec<Resource> {
    let (host, path) = (format!("{name}.shop"), format!("shop/{name}"));
    let ports = vec![ServicePort {
        name: "http".to_owned(),
        port: 80,
        protocol: 0,
    }];
    let variants = vec![OutboundVariant::default()];
    let outbound = Outbound {
        service: service(name),
        ports,
        variants,
        ..Default::default()
    };
    let endpoints = Endpoints {
        service: service(name),
        ..Default::default()
    };
    vec![
        resource(ResourceType::Endpoints, &path, endpoints.encode_to_vec()),
        resource(ResourceType::Outbound, &path, outbound.encode_to_vec()),
        resource(
            ResourceType::Host,
            &host,
            HostBinding {
                service: service(name),
                ..Default::default()
            }
            .encode_to_vec(),
        ),
    ]
}

/// A resource that nobody can read.
pub(crate) fn unreadable() -> Resource {
    resource(ResourceType::Mesh, "default", vec![0xff; 4])
}

/// A response that says that a host does not exist.
pub(crate) fn missing(host: &str) -> DiscoveryResponse {
    let name = ResourceName {
        r#type: ResourceType::Host.into(),
        name: host.to_owned(),
    };
    DiscoveryResponse {
        nonce: "missing".to_owned(),
        revision: 1,
        missing: vec![name],
        ..Default::default()
    }
}
