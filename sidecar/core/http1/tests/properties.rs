//! What holds for any bytes, any reads and any choice of fields.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod support;

use http1::{
    BodyDecoder, CHUNK_END, ChunkSize, Fields, Framing, HeadWriter, Known, Limits, RequestHead,
    RequestParser, Step, canonical_path, end_chunks,
};
use support::conversation::{End, Outcome, Side, play};
use support::corpus::{self, Case};
use support::random::Random;

/// Bytes that matter to a parser, more likely than others.
const SHARP: &[u8] = b"\r\n\r\n :\t,;\x000aFx-@#?/[]\x7f\x80\xff";

#[test]
fn damaged_requests_end_alike_at_any_reads() {
    let cases = corpus::read("requests.txt");
    check_damaged(&cases, |_| Side::Requests);
}

#[test]
fn damaged_responses_end_alike_at_any_reads() {
    let cases = corpus::read("responses.txt");
    check_damaged(&cases, |case| Side::Responses(case.asked()));
}

fn check_damaged(cases: &[Case], side: impl Fn(&Case) -> Side) {
    let mut random = Random::new(1);
    for _ in 0..4_000 {
        let case = random.pick(cases);
        if case.bytes.len() > 2_000 {
            continue;
        }
        let bytes = damage(&case.bytes, &mut random);
        let ends = random.ends(bytes.len(), 6);
        let whole = play(side(case), &bytes, []);
        assert_eq!(
            play(side(case), &bytes, ends),
            whole,
            "{:?}",
            bytes.escape_ascii()
        );
        check_passed_on(side(case), &whole);
    }
}

/// `bytes` with a few of them replaced, left out, or joined by others.
fn damage(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(damaged.len() + 1);
        let until = (at + random.below(3)).min(damaged.len());
        let joined = (0..random.below(3)).map(|_| *random.pick(SHARP));
        let joined: Vec<_> = joined.collect();
        damaged.splice(at..until, joined);
    }
    damaged
}

/// What went on would be taken by a codec as strict as ours: no head that went on is one we would refuse.
fn check_passed_on(side: Side, outcome: &Outcome) {
    for head in &outcome.heads {
        let end = play(side, head, []).end;
        // What we add may make a head that was at a limit exceed it.
        let is_taken = !matches!(end, End::RefusedAtHead(cause) if cause.status() != 431);
        assert!(is_taken, "{end:?}: {:?}", head.escape_ascii());
    }
}

#[test]
fn chunks_written_are_the_data_read_at_any_reads() {
    let mut random = Random::new(2);
    for _ in 0..500 {
        let data: Vec<u8> = (0..random.below(300))
            .map(|_| random.below(256) as u8)
            .collect();
        let wire = in_chunks(&data, &mut random);
        let ends = random.ends(wire.len(), 8);
        assert_eq!(
            decode_chunks(&wire, &ends),
            (data, b"grpc-status: 0\r\n".to_vec())
        );
    }
}

fn in_chunks(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(1 + random.below(rest.len()));
        wire.extend_from_slice(ChunkSize::new(chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(CHUNK_END);
        rest = tail;
    }
    end_chunks(b"grpc-status: 0\r\n", &mut wire);
    wire
}

fn decode_chunks(wire: &[u8], ends: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let limits = Limits::default();
    let mut body = BodyDecoder::new(Framing::Chunked, b"", &Fields::default(), &limits);
    let (mut data, mut at) = (Vec::new(), 0);
    for &end in ends.iter().chain([&wire.len()]) {
        while at < end {
            match body.decode(&wire[at..end]).unwrap() {
                Step::Data(range) => {
                    data.extend_from_slice(&wire[at..end][range.clone()]);
                    at += range.end;
                }
                Step::NeedMore => at = end,
                Step::Done(used) => at += used,
            }
        }
    }
    assert!(body.is_done());
    (data, body.trailers().to_vec())
}

#[test]
fn a_head_goes_on_without_exactly_what_was_removed() {
    let mut random = Random::new(3);
    let names = [
        "Accept",
        "X-A",
        "x-b",
        "Connection",
        "Cookie",
        "breakwater-retry",
        "Via",
        "TE",
    ];
    for _ in 0..2_000 {
        let lines: Vec<_> = (0..random.below(12))
            .map(|number| format!("{}: v{number}\r\n", random.pick(&names)))
            .collect();
        let removed = *random.pick(&[Known::Accept, Known::Cookie, Known::Via]);
        assert_eq!(
            rewritten(&lines, removed),
            expected(&lines, removed),
            "{lines:?}"
        );
    }
}

fn rewritten(lines: &[String], removed: Known) -> String {
    let read = format!("GET / HTTP/1.1\r\nHost: svc\r\n{}\r\n", lines.concat());
    let mut head = RequestHead::default();
    let mut parser = RequestParser::new(Limits::default());
    assert_eq!(
        parser.parse(read.as_bytes(), &mut head),
        Ok(Some(read.len()))
    );
    let (mut writer, mut out) = (HeadWriter::default(), Vec::new());
    writer.begin(&head.fields);
    writer.remove(&head.fields, removed);
    writer.remove_internal(&head.fields);
    writer.remove_named(read.as_bytes(), &head.fields, b"X-B");
    writer.add("x-added", b"1");
    writer.finish_request(read.as_bytes(), &head, head.framing);
    writer.copy_to(read.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn expected(lines: &[String], removed: Known) -> String {
    let gone = [
        "connection",
        "te",
        "x-b",
        "breakwater-retry",
        removed.as_str(),
    ];
    let kept = lines.iter().filter(|line| {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        !gone.contains(&name.as_str())
    });
    let kept: String = kept.map(String::as_str).collect();
    format!("GET / HTTP/1.1\r\nHost: svc\r\n{kept}x-added: 1\r\n\r\n")
}

#[test]
fn known_names_are_found_in_any_case_and_no_others() {
    let mut random = Random::new(4);
    for &known in Known::ALL {
        let name = known.as_str();
        assert_eq!(Known::find(name.as_bytes()), Some(known));
        assert_eq!(
            Known::find(name.to_ascii_uppercase().as_bytes()),
            Some(known)
        );
        let mut other = name.as_bytes().to_vec();
        let at = random.below(other.len());
        other[at] = b'_';
        assert_eq!(Known::find(&other), None);
    }
    assert_eq!(Known::find(b""), None);
}

#[test]
fn canonical_paths_are_canonical_and_have_no_dot_segments() {
    let mut random = Random::new(5);
    let parts = [
        "/", ".", "..", "%2e", "%2E", "%2f", "%", "%4", "a", "%41", "%7e", "%zz", ";x", "\\",
    ];
    for _ in 0..5_000 {
        let path: String = (0..random.below(10))
            .map(|_| *random.pick(&parts))
            .collect();
        let path = format!("/{path}");
        let once = canonical_path(path.as_bytes()).into_owned();
        assert!(once.starts_with(b"/"), "{path}");
        assert_eq!(canonical_path(&once), once.as_slice(), "{path}");
        let mut segments = once.split(|&byte| byte == b'/');
        assert!(
            !segments.any(|segment| segment == b"." || segment == b".."),
            "{path}"
        );
    }
}
