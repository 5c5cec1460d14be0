//! The messages of the stream, each way.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status as Answer;

use crate::connection::Connection;
use crate::holdings::Response;
use crate::mesh::discovery_request::Message;
use crate::mesh::discovery_service_client::DiscoveryServiceClient;
use crate::mesh::{
    Acknowledgement, AcknowledgementStage, DiscoveryRequest, DiscoveryResponse, HeldResource,
    Subscription,
};
use crate::resource::{Id, Rejection, Resource};

/// How long a control plane may take to answer a hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a stream brings.
#[derive(Debug)]
pub(super) enum News {
    /// The control plane answers.
    Opened,
    Response(DiscoveryResponse),
}

/// Passes on what comes over the stream; returns why it ended.
pub(super) async fn read(
    mut client: DiscoveryServiceClient<Connection>,
    requests: mpsc::Receiver<DiscoveryRequest>,
    incoming: mpsc::Sender<News>,
) -> Answer {
    let opening = timeout(PATIENCE, client.stream(ReceiverStream::new(requests)));
    let mut stream = match opening.await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(answer)) => return answer,
        Err(_) => return Answer::deadline_exceeded("the control plane does not answer"),
    };
    let _ = incoming.send(News::Opened).await; // the receiver lives as long as this future
    loop {
        match stream.message().await {
            Ok(Some(response)) => drop(incoming.send(News::Response(response)).await),
            Ok(None) => return Answer::unavailable("the control plane ended the stream"),
            Err(answer) => return answer,
        }
    }
}

pub(super) async fn send(outgoing: &mpsc::Sender<DiscoveryRequest>, message: Message) {
    let _ = outgoing
        .send(DiscoveryRequest {
            message: Some(message),
        })
        .await; // a stream that ended says so itself
}

pub(super) fn decode(response: DiscoveryResponse) -> Response {
    let ids = |names: Vec<_>| names.into_iter().filter_map(Id::decode).collect();
    Response {
        revision: response.revision,
        resources: response
            .resources
            .into_iter()
            .filter_map(Resource::decode)
            .collect(),
        removed: ids(response.removed),
        missing: ids(response.missing),
    }
}

pub(super) fn held_resource(resource: &Resource) -> HeldResource {
    HeldResource {
        id: Some(resource.id.encode()),
        version: resource.version.clone(),
    }
}

pub(super) fn subscription(subscribe: &[Id], unsubscribe: &[Id]) -> Message {
    let encode = |ids: &[Id]| ids.iter().map(Id::encode).collect();
    Message::Subscription(Subscription {
        subscribe: encode(subscribe),
        unsubscribe: encode(unsubscribe),
    })
}

pub(super) fn acknowledgement(
    nonce: &str,
    stage: AcknowledgementStage,
    rejections: &[Rejection],
) -> Message {
    Message::Acknowledgement(Acknowledgement {
        nonce: nonce.to_owned(),
        stage: stage.into(),
        rejections: rejections.iter().map(Rejection::encode).collect(),
    })
}
