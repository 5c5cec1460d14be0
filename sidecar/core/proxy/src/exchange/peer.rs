//! How an answer is understood: whose it is, and what it says of the upstream.

use http1::Known;
use policy::Outcome;
use policy::condition::Conditions;
use policy::ending::{Ending, default_failures, may_succeed_elsewhere};
use policy::grpc::Code;

use crate::request::Response;

/// How an attempt that was answered ended, unless its body tells otherwise.
pub(super) fn ending_of(response: &dyn Response, from_sidecar: bool, is_grpc: bool) -> Ending {
    let word = reason(response).filter(|word| from_sidecar && !has_reached_application(word));
    if let Some(word) = word {
        return Ending::PeerRefusal {
            elsewhere: may_succeed_elsewhere(word),
        };
    }
    let code = response.known(Known::GrpcStatus).filter(|_| is_grpc);
    Ending::Response {
        status: response.status(),
        code: code.map(Code::from_status_field),
    }
}

/// Whether a field says that a sidecar made the answer, as applications must not.
pub(super) fn is_of_sidecar(proxy_status: &[u8]) -> bool {
    proxy_status.trim_ascii_start().starts_with(b"breakwater")
}

/// The reason of an answer that a sidecar made.
pub(super) fn reason(response: &dyn Response) -> Option<&str> {
    let value = std::str::from_utf8(response.known(Known::ProxyStatus)?).ok()?;
    let details = value
        .strip_prefix("breakwater;")?
        .split_once("details=\"")?
        .1;
    details.split(['"', ' ']).next()
}

/// Whether a peer refused for load.
pub(super) fn is_overload(response: &dyn Response) -> bool {
    reason(response).is_some_and(policy::overload::is_overload)
}

/// Whether a peer that answers for this reason had called its application already.
fn has_reached_application(word: &str) -> bool {
    let is_timeout = word.starts_with("timeout.") && word != "timeout.connect";
    is_timeout
        || word.starts_with("retry.")
        || matches!(word, "upstream.reset" | "upstream.protocol")
}

/// Whether an attempt counts as failed where no policy says what failures are.
pub(super) fn has_failed(ending: &Ending) -> bool {
    thread_local! {
        static FAILURES: Conditions = default_failures();
    }
    FAILURES.with(|failures| ending.outcome(failures) == Outcome::Failure)
}

#[cfg(test)]
mod tests;
