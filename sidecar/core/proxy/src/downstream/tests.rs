use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};

use super::serve;
use crate::config::Protocol;
use crate::report::Direction;
use crate::worker::Entry;
use crate::worker::tests::worker;

/// What a resting connection may cost beside its socket, its timer and its entry in the runtime.
const RESTING_BYTES: usize = 768;

#[tokio::test]
async fn a_resting_connection_costs_little_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let worker = worker();
    let place = worker.connections.enter(Direction::Outbound).unwrap();
    let serving = serve(
        Protocol::Http,
        worker,
        stream,
        (address, Rc::new(Entry::Outbound)),
        place,
    );
    let bytes = size_of_val(&serving);
    assert!(bytes <= RESTING_BYTES, "{bytes}");
}
