//! Control planes that leave, freeze and are not there.

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(1),
    probe: Duration::from_millis(100),
    answer: Duration::from_millis(200),
};

const PLAIN: Trust = Trust {
    ca: None,
    token: None,
};

fn target(listener: &TcpListener) -> Target {
    let address = listener.local_addr().unwrap();
    Target {
        authority: address.to_string().parse().unwrap(),
        address,
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_goaway_is_seen_while_no_call_begins() {
    let listener = listener().await;
    let target = target(&listener);
    let leaving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = h2::server::handshake(stream).await.unwrap();
        server.graceful_shutdown();
        while server.accept().await.is_some() {}
    };
    let connecting = async {
        let (_connection, ending) = connect(&target, &PLAIN, PATIENCE).await.unwrap();
        ending.await
    };
    let (ended, ()) = tokio::join!(connecting, leaving);
    assert_eq!(ended, Ending::Resigned);
}

#[tokio::test]
async fn a_frozen_control_plane_is_noticed() {
    let listener = listener().await;
    let began = Instant::now();
    let (_connection, ending) = connect(&target(&listener), &PLAIN, PATIENCE).await.unwrap();
    assert!(matches!(ending.await, Ending::Broken(_)));
    assert!(began.elapsed() >= PATIENCE.probe + PATIENCE.answer);
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let target = target(&listener().await);
    assert!(matches!(
        connect(&target, &PLAIN, PATIENCE).await.err(),
        Some(Error::System(_))
    ));
}
