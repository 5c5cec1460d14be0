//! Endpoints that are back in use: what their failures had added to their latencies says nothing of them now.

use policy::readiness::Member;

use super::Endpoint;

/// Takes the endpoints at these places for as fast as the fastest of the others in use, until they have answered: so they
/// are called, and not by everybody.
pub(super) fn restart(endpoints: &mut [Endpoint], back: &[usize], now_ns: u64) {
    if back.is_empty() {
        return;
    }
    let others = endpoints.iter().enumerate();
    let in_use = others.filter(|(position, endpoint)| {
        let is_out = endpoint.record.is_ejected(now_ns) || endpoint.is_unhealthy();
        !is_out && !back.contains(position)
    });
    let fastest_ns = in_use.map(|(_, it)| it.load.latency_ns(now_ns)).min();
    for &position in back {
        if let Some(fastest_ns) = fastest_ns {
            endpoints[position].load.restart(fastest_ns, now_ns);
        }
    }
}
