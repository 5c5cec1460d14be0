use std::net::{SocketAddr, TcpListener, TcpStream};

use super::{bind_at, bind_both};

fn connects(address: &str, listener: &TcpListener) -> Option<SocketAddr> {
    let port = listener.local_addr().unwrap().port();
    let stream = TcpStream::connect(format!("{address}:{port}")).ok()?;
    stream.local_addr().ok()
}

#[test]
fn every_address_is_reached_over_its_own_family() {
    let listeners = bind_at("[::]:0".parse().unwrap()).unwrap();
    assert_eq!(listeners.len(), 2);
    for (address, listener) in ["[::1]", "127.0.0.1"].into_iter().zip(&listeners) {
        let client = connects(address, listener).unwrap();
        listener.set_nonblocking(false).unwrap();
        assert_eq!(listener.accept().unwrap().1, client);
    }
}

#[test]
fn all_addresses_of_one_family_are_no_more_than_that() {
    let [listener] = bind_at("0.0.0.0:0".parse().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    assert!(connects("127.0.0.1", &listener).is_some());
    assert!(connects("[::1]", &listener).is_none());
}

#[test]
fn a_twin_is_at_the_same_port() {
    let [one, other] = bind_both("127.0.0.1:0".parse().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    let (one, other) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    assert_eq!(one.port(), other.port());
    assert!(one.is_ipv4() && other.is_ipv6());
}

#[test]
fn an_address_that_is_taken_is_an_error_for_either_family() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert!(bind_at(SocketAddr::new([0, 0, 0, 0].into(), port)).is_err());
    assert!(bind_at(format!("[::]:{port}").parse().unwrap()).is_err());
}
