//! The end of waiting for a first configuration: it arrives, or has not for so long that everything passes.

use std::sync::Arc;

use proxy::Ended;
use proxy::config::{Config, UnknownDestinations};

use super::Discovery;

impl Discovery {
    /// Lets everything pass: what is led here gets through, and others reach the application as before. What the workload
    /// asks for by name is still refused, since only a control plane knows where a service is.
    pub(super) async fn pass_through(&mut self) -> Result<(), Ended> {
        self.unenforced_at = None;
        let unenforced = Config {
            unknown_destinations: UnknownDestinations::PassThrough,
            ..Config::default()
        };
        self.proxy.apply(Arc::new(unenforced)).await?;
        self.status.send_modify(|state| state.is_unenforced = true);
        self.log.error(
            "no configuration yet: traffic passes, nothing is enforced",
            &[],
        );
        Ok(())
    }

    /// There is a configuration, and it is in force.
    pub(super) fn end_bootstrap(&mut self) {
        self.unenforced_at = None;
        if self.status.borrow().is_unenforced {
            self.status.send_modify(|state| state.is_unenforced = false);
            self.log.warn(
                "a first configuration: traffic is enforced from now on",
                &[],
            );
        }
    }
}
