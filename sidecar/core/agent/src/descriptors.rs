//! How many descriptors the process may have, and what traffic may take of them.

use proxy::Bounds;

/// Open before any traffic: event loops, signals, logs, the pages and the socket of the agent.
const OWN: u64 = 32;
/// Left free for the control stream, pages, questions and the disk.
const SPARE: u64 = 32;

/// Raises the limit as far as the system allows without asking; returns what it is then.
pub(crate) fn raise() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the system writes into `limit`, which is there for as long as the call lasts.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let raised = libc::rlimit {
        rlim_cur: limit.rlim_max,
        ..limit
    };
    // SAFETY: the system reads `raised`, which is there for as long as the call lasts.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } {
        0 => raised.rlim_cur,
        _ => limit.rlim_cur,
    }
}

/// What a worker with so many listeners may take of `limit` descriptors: two for each connection that it accepts, so
/// that each may call, and none of the spare ones. Of very few, half are for connections.
pub(crate) fn bounds(limit: u64, listeners: usize) -> Bounds {
    let kept = (OWN + SPARE)
        .saturating_add(listeners as u64)
        .min(limit / 2);
    let most = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let usual = Bounds::default();
    Bounds {
        max_connections: usual.max_connections.min(most((limit - kept) / 2)),
        max_descriptors: most(limit - SPARE.min(limit / 4)),
        ..usual
    }
}

#[cfg(test)]
mod tests;
