//! What an error of a stream says of the attempt it carried.

use ::h2::Reason as Code;
use policy::Reason;
use policy::ending::Ending;

/// How an attempt ended whose stream ended so before response headers, and what to blame.
pub(super) fn ending(error: &::h2::Error) -> (Ending, Reason) {
    let is_theirs = error.is_remote();
    if error.is_go_away() && is_theirs {
        // Only streams above the last one that was taken are told of a departure.
        return (Ending::GoAway, Reason::UpstreamReset);
    }
    if error.is_reset() && is_theirs {
        let is_refusal = error.reason() == Some(Code::REFUSED_STREAM);
        let ending = if is_refusal {
            Ending::RefusedStream
        } else {
            Ending::Reset
        };
        return (ending, Reason::UpstreamReset);
    }
    match error.is_io() {
        true => (Ending::Reset, Reason::UpstreamReset),
        false => (Ending::Reset, Reason::UpstreamProtocol),
    }
}
