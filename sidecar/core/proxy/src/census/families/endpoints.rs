//! How many endpoints may be called, of services and of their instance groups.

use policy::instance_groups::Size;
use policy::readiness::Member;

use super::{gauge, text, word};
use crate::live::Cluster;
use crate::report::Family;
use crate::worker::Worker;

pub(super) fn states(worker: &Worker) -> Family {
    let mut family = gauge("breakwater_endpoints", &["service", "state"]);
    for cluster in worker.live.borrow().clusters.values() {
        let [mut ready, mut ejected, mut unhealthy] = [0; 3];
        for set in &cluster.ports {
            set.visit(worker, cluster, |endpoint, is_ready| {
                *match (is_ready, endpoint.is_unhealthy()) {
                    (true, _) => &mut ready,
                    (false, false) => &mut ejected,
                    (false, true) => &mut unhealthy,
                } += 1;
            });
        }
        let states = [
            ("ready", ready),
            ("ejected", ejected),
            ("unhealthy", unhealthy),
        ];
        for (state, count) in states {
            family.push(
                [text(&cluster.config.service), word(state)],
                f64::from(count),
            );
        }
    }
    family
}

pub(super) fn groups(worker: &Worker) -> Family {
    let labels = &["service", "group", "state"];
    let mut family = gauge("breakwater_group_endpoints", labels);
    for cluster in worker.live.borrow().clusters.values() {
        let groups = cluster.config.groups.as_ref();
        let groups = groups.into_iter().flat_map(|block| &block.params.groups);
        for (place, group) in groups.enumerate() {
            let Size { ready, total } = size(cluster, place);
            for (state, count) in [("ready", ready), ("ejected", total - ready)] {
                let labels = [
                    text(&cluster.config.service),
                    text(&group.name),
                    word(state),
                ];
                family.push(labels, f64::from(count));
            }
        }
    }
    family
}

/// The size of one group over all ports.
fn size(cluster: &Cluster, place: usize) -> Size {
    let sizes = cluster
        .ports
        .iter()
        .filter_map(|set| set.group_sizes().get(place).copied());
    sizes.fold(Size::default(), |sum, size| Size {
        ready: sum.ready + size.ready,
        total: sum.total + size.total,
    })
}
