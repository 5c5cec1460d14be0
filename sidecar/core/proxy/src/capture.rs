//! Connections that rules of the system led here: where they were going decides what becomes of them.
//!
//! What the workload sends goes to the service that is meant by the address, and what means nothing gets through or is
//! refused, as the mesh has it. What others send goes to the application at the very address that they called.

use std::net::SocketAddr;
use std::rc::Rc;

use policy::Reason;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::config::{Protocol, UnknownDestinations};
use crate::connections::Place;
use crate::handle::{Supply, Wanted};
use crate::listen;
use crate::report::Direction;
use crate::wire::Wire;
use crate::worker::{Entry, Worker};
use crate::{downstream, speech, tcp};

/// What becomes of a connection.
enum Lead {
    /// It is served.
    To(Rc<Entry>),
    /// Its bytes are passed on to the address, and nothing else.
    Through(SocketAddr),
    Refused(Reason),
}

/// Serves one connection to its end; one that was not led here is for `meant`.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    (direction, meant): (Direction, Option<Rc<Entry>>),
    place: Place,
) {
    let address = original(&stream);
    let lead = match (address, direction) {
        (None, _) => meant.map_or(Lead::Refused(Reason::ProxyLoop), Lead::To),
        (Some(address), _) if worker.is_own(address) || worker.leads_here(address) => {
            Lead::Refused(Reason::ProxyLoop)
        }
        (Some(address), Direction::Inbound) => inbound(&worker, address),
        (Some(address), Direction::Outbound) => outbound(&worker, address).await,
    };
    match lead {
        Lead::To(entry) => match listen::charge(&worker, peer, &entry) {
            Ok(_charges) => {
                let protocol = protocol(&worker, &entry, address);
                downstream::serve(protocol, worker, stream, (peer, entry), place).await;
            }
            Err(refusal) => {
                if let Some((entry, _place)) = worker.spared.after(&entry, refusal) {
                    let from = (peer, entry);
                    downstream::serve(Protocol::Http, worker, stream, from, place).await;
                }
            }
        },
        Lead::Through(address) => tcp::pass_through(&worker, stream, address).await,
        Lead::Refused(reason) => {
            worker.remember_refused(direction, reason);
            Wire::new(stream).reset_on_close();
        }
    }
}

/// What is declared to be spoken; where nobody has, some ports are not looked at.
fn protocol(worker: &Worker, entry: &Entry, address: Option<SocketAddr>) -> Protocol {
    if let Some(protocol) = worker.app_protocol(entry) {
        return protocol;
    }
    let is_opaque = address.is_some_and(|address| worker.opaque_ports.contains(&address.port()));
    match speech::declared(&worker.live.borrow(), entry) {
        Protocol::Any if is_opaque => Protocol::Opaque,
        protocol => protocol,
    }
}

/// Where a connection was going, if it was led here; the system remembers it.
fn original(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let here = stream.local_addr().ok()?;
    let found = match here {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    let there = found.ok()?.as_socket()?;
    (there != here).then_some(there)
}

/// To the application; what no service is behind is none of ours.
fn inbound(worker: &Worker, address: SocketAddr) -> Lead {
    let is_ruled = {
        let live = worker.live.borrow();
        live.config.applications.contains_key(&address.port())
    };
    if !is_ruled {
        return Lead::Through(address);
    }
    if worker.meet_application(address) {
        Lead::To(Rc::new(Entry::Application {
            address,
            refused: None,
        }))
    } else {
        Lead::Refused(Reason::ProxyLoop)
    }
}

/// To the service that is meant, which is asked for if nobody knows it.
async fn outbound(worker: &Rc<Worker>, address: SocketAddr) -> Lead {
    if let Some(entry) = meaning(worker, address) {
        return Lead::To(entry);
    }
    let wanted = Wanted::Host(address.to_string().into());
    let supply = if worker.demands.is_unknown(&wanted, worker.clock.now_ns()) {
        Supply::Unknown
    } else {
        worker.demands.ask(&wanted, None).await
    };
    if let Some(entry) = meaning(worker, address) {
        return Lead::To(entry);
    }
    let unknown = worker.live.borrow().config.unknown_destinations;
    match (unknown, supply) {
        (UnknownDestinations::PassThrough, _) => Lead::Through(address),
        (UnknownDestinations::Refuse, Supply::Unknown) => Lead::Refused(Reason::RouteNone),
        (UnknownDestinations::Refuse, _) => Lead::Refused(Reason::ConfigMissing),
    }
}

fn meaning(worker: &Worker, address: SocketAddr) -> Option<Rc<Entry>> {
    let live = worker.live.borrow();
    let meaning = live.config.addresses.get(&address)?;
    Some(Rc::new(Entry::Upstream {
        service: meaning.service.clone(),
        port: Some(meaning.port),
        only: meaning.is_endpoint.then_some(address),
    }))
}
