//! Both ends of HTTP/2.
#![allow(dead_code, reason = "tests of every subject use their part")]

pub(crate) mod caller;
pub(crate) mod frames;
pub(crate) mod upstream;

use bytes::Bytes;
use http::HeaderMap;

pub(crate) use caller::Caller;
pub(crate) use upstream::{Call, Upstream};

/// Fields as a map.
pub(crate) fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (name.parse().unwrap(), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// Reads a body to its end.
pub(crate) async fn read(body: &mut h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Sends bytes as fast as there is room for them.
pub(crate) async fn write(
    body: &mut h2::SendStream<Bytes>,
    mut bytes: Bytes,
) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        body.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
        let room = room.ok_or(h2::Error::from(h2::Reason::STREAM_CLOSED))??;
        body.send_data(bytes.split_to(room.min(bytes.len())), false)?;
    }
    Ok(())
}
