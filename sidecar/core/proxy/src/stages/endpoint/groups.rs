//! Instance groups: who hears that one is empty.

use policy::instance_groups::{Change, Size, Watch};

use crate::live::Cluster;
use crate::report::{Event, EventKind};
use crate::worker::Worker;

/// Tells which groups emptied or refilled since the last look.
pub(super) fn tell(
    worker: &Worker,
    cluster: &Cluster,
    watches: &mut Vec<Watch>,
    sizes: &[Size],
    now_ns: u64,
) {
    let groups = cluster.config.groups.as_ref();
    let names = groups.into_iter().flat_map(|block| &block.params.groups);
    watches.resize(sizes.len(), Watch::default());
    for ((watch, size), group) in watches.iter_mut().zip(sizes).zip(names) {
        let Some(change) = watch.observe(*size) else {
            continue;
        };
        cluster.tell(worker, || Event {
            at: worker.clock.wall(now_ns),
            service: cluster.config.service.clone(),
            endpoint: None,
            kind: EventKind::Group {
                name: group.name.clone(),
                is_empty: change == Change::Emptied,
            },
        });
    }
}
