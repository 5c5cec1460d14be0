//! `grpc-status-details-bin`: a `google.rpc.Status` with ErrorInfo and RetryInfo, in base64.

use policy::grpc::Code;

use crate::stages::Refusal;

/// Where the reasons are defined, as ErrorInfo wants to be told.
const DOMAIN: &[u8] = b"breakwater.dev";
const ERROR_INFO: &[u8] = b"type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";

/// The field's value.
pub(super) fn encode(
    refusal: &Refusal,
    code: Code,
    message: &str,
    pushback_ms: Option<u64>,
) -> String {
    let mut status = Message::default();
    status.number(1, u64::from(code.number()));
    status.bytes(2, message.as_bytes());
    status.bytes(3, &any(ERROR_INFO, &error_info(refusal)));
    if let Some(pushback_ms) = pushback_ms {
        status.bytes(3, &any(RETRY_INFO, &retry_info(pushback_ms)));
    }
    base64(&status.0)
}

fn error_info(refusal: &Refusal) -> Vec<u8> {
    let mut info = Message::default();
    info.bytes(1, refusal.reason.as_str().as_bytes());
    info.bytes(2, DOMAIN);
    if let Some(policy) = &refusal.policy {
        info.bytes(3, &entry(b"policy", policy.to_string().as_bytes()));
    }
    if let Some(limit) = &refusal.limit {
        info.bytes(3, &entry(b"limit", limit.as_bytes()));
    }
    info.0
}

fn retry_info(pushback_ms: u64) -> Vec<u8> {
    let mut delay = Message::default();
    delay.number(1, pushback_ms / 1_000);
    delay.number(2, pushback_ms % 1_000 * 1_000_000);
    let mut info = Message::default();
    info.bytes(1, &delay.0);
    info.0
}

fn entry(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut entry = Message::default();
    entry.bytes(1, key);
    entry.bytes(2, value);
    entry.0
}

fn any(kind: &[u8], value: &[u8]) -> Vec<u8> {
    entry(kind, value)
}

/// A protobuf message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A field that is a number; zero is the default, and left out.
    fn number(&mut self, field: u8, number: u64) {
        if number > 0 {
            self.0.push(field << 3);
            self.varint(number);
        }
    }

    /// A field that is a string or a message.
    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// Base64 without padding, as gRPC sends it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |bits: u32, (place, byte)| {
                bits | u32::from(*byte) << (16 - 8 * place)
            });
        for place in 0..=group.len() {
            text.push(char::from(
                ALPHABET[(bits >> (18 - 6 * place)) as usize & 63],
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests;
