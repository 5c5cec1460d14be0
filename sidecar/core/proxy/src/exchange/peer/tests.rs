use http1::Known;
use policy::ending::Ending;
use policy::grpc::Code;

use super::{ending_of, reason};
use crate::request::Response;

struct Head(u16, &'static [(Known, &'static str)]);

impl Response for Head {
    fn status(&self) -> u16 {
        self.0
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        let found = self.1.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_bytes())
    }

    fn find(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

const DRAINING: Head = Head(
    503,
    &[(
        Known::ProxyStatus,
        "breakwater; error=x; details=\"draining\"",
    )],
);

#[test]
fn a_refusal_is_a_peers_only_if_a_peer_is_there() {
    assert_eq!(
        ending_of(&DRAINING, true, false),
        Ending::PeerRefusal { elsewhere: true }
    );
    let response = Ending::Response {
        status: 503,
        code: None,
    };
    assert_eq!(ending_of(&DRAINING, false, false), response);
}

#[test]
fn a_limit_would_refuse_elsewhere_too() {
    let limited = Head(
        429,
        &[(
            Known::ProxyStatus,
            "breakwater; error=x; details=\"ratelimit.token policy=shop/x limit=y\"",
        )],
    );
    assert_eq!(
        ending_of(&limited, true, false),
        Ending::PeerRefusal { elsewhere: false }
    );
    assert_eq!(reason(&limited), Some("ratelimit.token"));
}

#[test]
fn what_reached_the_application_is_its_failure() {
    for value in [
        "breakwater; details=\"upstream.reset\"",
        "breakwater; details=\"timeout.request policy=a/b\"",
        "breakwater; details=\"retry.exhausted\"",
        "nginx; error=x; details=\"draining\"",
    ] {
        let fields: &'static [_] = vec![(Known::ProxyStatus, value)].leak();
        let ending = ending_of(&Head(504, fields), true, false);
        assert_eq!(
            ending,
            Ending::Response {
                status: 504,
                code: None
            },
            "{value}"
        );
    }
}

#[test]
fn the_grpc_status_counts_for_grpc_alone() {
    let head = Head(200, &[(Known::GrpcStatus, "14")]);
    let code = Some(Code::Unavailable);
    assert_eq!(
        ending_of(&head, false, true),
        Ending::Response { status: 200, code }
    );
    assert_eq!(
        ending_of(&head, false, false),
        Ending::Response {
            status: 200,
            code: None
        }
    );
}
