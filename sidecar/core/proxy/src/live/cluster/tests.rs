use std::sync::Arc;

use policy::Percent;
use policy::budget::{Params, Rate};
use policy::hedge::After;

use super::Cluster;
use crate::config::{self, Hedge};
use crate::worker::tests::{SECOND_NS, block, cluster, serve, worker};

/// Second attempts of which the fleet may always make ten a second.
fn hedged() -> config::Cluster {
    let budget = Params {
        percent: Percent::new(0),
        interval_ns: 10 * SECOND_NS,
        floor: Rate {
            count: 10,
            per_ns: SECOND_NS,
        },
    };
    let after = After::Fixed(SECOND_NS);
    config::Cluster {
        hedge: block(Hedge { after, budget }),
        ..cluster(1)
    }
}

fn available(cluster: &Cluster) -> u64 {
    let budget = cluster.budget.as_ref().unwrap();
    budget.borrow_mut().available(SECOND_NS)
}

#[tokio::test(start_paused = true)]
async fn a_budget_in_shadow_takes_its_share_as_one_that_acts_does() {
    let worker = worker();
    let live = serve(
        &worker,
        config::Cluster {
            shadow: Some(Arc::new(hedged())),
            ..hedged()
        },
    );
    let shadow = live.foreseen.as_ref().unwrap();
    assert_eq!((available(&live), available(shadow)), (10, 10));
    live.set_live_callers(2, worker.moment(SECOND_NS));
    assert_eq!((available(&live), available(shadow)), (50, 50));
}
