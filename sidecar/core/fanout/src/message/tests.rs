#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use bytes::Bytes;

use super::{LARGEST, Malformed, Messages, frame};

fn framed(message: &[u8]) -> Vec<u8> {
    frame(message).unwrap().to_vec()
}

#[test]
fn messages_come_whole_however_they_are_cut() {
    let sent = [&b"one"[..], b"", &[7; 300]];
    let bytes: Vec<u8> = sent.iter().flat_map(|message| framed(message)).collect();
    for size in 1..bytes.len() {
        let mut messages = Messages::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            messages.push(piece);
            while let Some(message) = messages.next().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, sent.map(Bytes::from), "cut every {size} bytes");
    }
}

#[test]
fn nothing_is_kept_between_messages() {
    let mut messages = Messages::default();
    messages.push(&framed(&[1; 100_000]));
    assert!(messages.next().unwrap().is_some());
    assert_eq!(messages.pieces.capacity(), 0);
}

#[test]
fn message_that_would_be_too_large_is_refused_by_its_head() {
    let mut messages = Messages::default();
    let length = u32::try_from(LARGEST + 1).unwrap();
    messages.push(&[0]);
    messages.push(&length.to_be_bytes());
    assert_eq!(messages.next(), Err(Malformed::TooLarge(LARGEST + 1)));
}

#[test]
fn compressed_message_is_refused() {
    let mut messages = Messages::default();
    messages.push(&[1, 0, 0, 0, 0]);
    assert_eq!(messages.next(), Err(Malformed::Compressed));
}
