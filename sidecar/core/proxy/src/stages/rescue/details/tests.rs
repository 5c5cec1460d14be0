use policy::Reason;
use policy::grpc::Code;

use super::{base64, encode};
use crate::stages::Refusal;

#[test]
fn base64_has_no_padding() {
    let cases: [(&[u8], &str); 5] = [
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"\xff\xfe\xfd\xfc", "//79/A"),
    ];
    for (bytes, text) in cases {
        assert_eq!(base64(bytes), text);
    }
}

/// Made once with the reference implementation of protobuf: Status{14, "no", [ErrorInfo{"breaker.open",
/// "breakwater.dev"}, RetryInfo{1.5 s}]}.
const REFERENCE: &str = "CA4SAm5vGkoKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SHgoMYnJlYWtlci5vcGVuEg5i\
                         cmVha3dhdGVyLmRldho2Cih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgoKCAgBEIDKte4B";

#[test]
fn the_status_is_what_protobuf_would_write() {
    let refusal = Refusal::new(Reason::BreakerOpen);
    assert_eq!(
        encode(&refusal, Code::Unavailable, "no", Some(1_500)),
        REFERENCE
    );
}
