//! One light sidecar: asks for its own service and for hosts, keeps the versions it is sent, and says that it applies
//! them. What is within a resource it looks at only to tell how old an endpoint is.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::{io, net::SocketAddr};

use memchr::memmem;
use tokio::select;

use crate::clock::now_ns;
use crate::companions;
use crate::mesh::discovery_request::Message;
use crate::mesh::{
    Acknowledgement, AcknowledgementStage, DiscoveryRequest, DiscoveryResponse, HeldResource,
    Hello, Resource, ResourceName, ResourceType, ServiceName, Subscription,
};
use crate::socket::Received;
use crate::tally::{Counted, Standing, Tally};
use crate::wire::{Call, Connection};

/// How the label of an endpoint begins that says when it was written, in nanoseconds of the common clock: an entry of a
/// map, its key, and the tag of its value.
const WRITTEN: &[u8] = b"\x0a\x0awritten_ns\x12";

/// Type and name of a resource.
type Id = (i32, String);

pub struct Sidecar {
    pub received: Received,
    pub instance: String,
    pub service: ServiceName,
    asked: Vec<Id>,
    held: RefCell<HashMap<Id, String>>,
    /// How many of what it asked for, and of what that brings, it does not hold yet.
    lacking: Cell<usize>,
    newest_ns: RefCell<HashMap<String, u64>>,
    counted: Counted,
}

impl Sidecar {
    pub fn new(instance: &str, service: ServiceName, hosts: &[&str]) -> Self {
        let own = format!("{}/{}", service.namespace, service.name);
        let mut asked = vec![
            (ResourceType::Mesh as i32, "default".to_owned()),
            (ResourceType::Inbound as i32, own),
        ];
        asked.extend(
            hosts
                .iter()
                .map(|host| (ResourceType::Host as i32, (*host).to_owned())),
        );
        Self {
            received: Received::default(),
            instance: instance.to_owned(),
            service,
            lacking: Cell::new(asked.len() + 2 * hosts.len()),
            asked,
            held: RefCell::default(),
            newest_ns: RefCell::default(),
            counted: Counted::default(),
        }
    }

    /// Runs one connection; returns why it ended.
    pub async fn session(
        &self,
        address: SocketAddr,
        is_accompanied: bool,
        tally: &Rc<Tally>,
    ) -> io::Error {
        let connection = match Connection::open(address, Rc::clone(&self.received)).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        if !is_accompanied {
            return self.discover(&connection, tally).await;
        }
        select! {
            ended = self.discover(&connection, tally) => ended,
            ended = companions::run(self, &connection, tally) => ended,
        }
    }

    async fn discover(&self, connection: &Connection, tally: &Tally) -> io::Error {
        let exchange = async {
            let mut call = connection.call("/mesh.v1.DiscoveryService/Stream").await?;
            say(&mut call, self.hello())?;
            say(&mut call, self.subscription())?;
            call.opened().await?;
            tally.reach(Standing::Connected, &self.counted);
            loop {
                let response: DiscoveryResponse = call.next().await?;
                tally.response(response.resources.len());
                say(
                    &mut call,
                    acknowledgement(&response, AcknowledgementStage::Applied),
                )?;
                self.apply(response, tally);
            }
        };
        match exchange.await {
            Ok(never) => never,
            Err(error) => error,
        }
    }

    fn apply(&self, response: DiscoveryResponse, tally: &Tally) {
        for resource in response.resources {
            self.keep(resource, tally);
        }
        for name in response.removed {
            self.held.borrow_mut().remove(&(name.r#type, name.name));
        }
        tally.reach(Standing::Applied, &self.counted);
        if self.lacking.get() == 0 {
            tally.reach(Standing::Complete, &self.counted);
        }
    }

    fn keep(&self, resource: Resource, tally: &Tally) {
        let Some(ResourceName { r#type, name }) = resource.id else {
            return;
        };
        if r#type == ResourceType::Endpoints as i32 {
            self.measure(&name, &resource.body, tally);
        }
        let before = self
            .held
            .borrow_mut()
            .insert((r#type, name), resource.version);
        if before.is_none() {
            self.lacking.set(self.lacking.get().saturating_sub(1));
        }
    }

    /// Counts how old each endpoint is that was written since the last time.
    fn measure(&self, service: &str, body: &[u8], tally: &Tally) {
        let mut newest_ns = self.newest_ns.borrow_mut();
        let before = newest_ns.get(service).copied().unwrap_or(0);
        for instant_ns in written(body) {
            if instant_ns > before {
                tally.lag(now_ns().saturating_sub(instant_ns));
                let newest = newest_ns.entry(service.to_owned()).or_default();
                *newest = instant_ns.max(*newest);
            }
        }
    }

    fn hello(&self) -> Message {
        let held = self.held.borrow();
        let held = held.iter().map(|(id, version)| HeldResource {
            id: Some(name(id)),
            version: version.clone(),
        });
        Message::Hello(Hello {
            instance: self.instance.clone(),
            services: vec![self.service.clone()],
            version: "light".to_owned(),
            held: held.collect(),
            ..Hello::default()
        })
    }

    fn subscription(&self) -> Message {
        Message::Subscription(Subscription {
            subscribe: self.asked.iter().map(name).collect(),
            ..Subscription::default()
        })
    }
}

/// The service that `namespace/name` means.
pub fn named(text: &str) -> io::Result<ServiceName> {
    let (namespace, name) = text
        .split_once('/')
        .ok_or_else(|| io::Error::other(format!("expected namespace/name, found {text:?}")))?;
    Ok(ServiceName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// The instants of writing in the encoding of endpoints; decoding all of it would take longer than its delivery.
fn written(body: &[u8]) -> impl Iterator<Item = u64> {
    memmem::find_iter(body, WRITTEN).filter_map(|at| {
        let (length, rest) = body[at + WRITTEN.len()..].split_first()?;
        let digits = rest.get(..usize::from(*length))?;
        str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn say(call: &mut Call, message: Message) -> io::Result<()> {
    call.send(&DiscoveryRequest {
        message: Some(message),
    })
}

fn acknowledgement(response: &DiscoveryResponse, stage: AcknowledgementStage) -> Message {
    Message::Acknowledgement(Acknowledgement {
        nonce: response.nonce.clone(),
        stage: stage.into(),
        ..Acknowledgement::default()
    })
}

fn name((r#type, name): &Id) -> ResourceName {
    ResourceName {
        r#type: *r#type,
        name: name.clone(),
    }
}
