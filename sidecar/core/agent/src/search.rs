//! The search for a control plane: rounds of addresses and rests between them, and what is said about it.

use std::fmt::Display;
use std::time::Duration;

use proxy::Ended;
use tokio::time::sleep;
use tonic::Code;

use crate::addresses::{Addresses, Target};
use crate::chance;
use crate::discovery::{Closing, Discovery};
use crate::log::Log;
use crate::rotation::Rotation;

/// A session this long was a good one; a shorter one is as if there had been none.
const PROVEN: Duration = Duration::from_secs(5);

/// Whom to try next. Demands are answered from what is held while it looks or rests.
#[derive(Debug)]
pub(crate) struct Search {
    names: Vec<String>,
    addresses: Addresses,
    rotation: Rotation<Target>,
    complaint: Complaint,
}

impl Search {
    /// Begins with what `names` lead to now.
    pub(crate) async fn begin(
        names: Vec<String>,
        log: Log,
        discovery: &mut Discovery,
    ) -> Result<Self, Ended> {
        let mut addresses = Addresses::new(&names);
        let all = discovery.alone(addresses.resolve()).await?;
        Ok(Self {
            names,
            addresses,
            rotation: Rotation::new(all, chance::draw),
            complaint: Complaint {
                log,
                is_told: false,
            },
        })
    }

    /// The control plane to try now; rests before it when all were tried.
    pub(crate) async fn next(&mut self, discovery: &mut Discovery) -> Result<Target, Ended> {
        loop {
            if let Some(target) = self.rotation.next() {
                return Ok(target);
            }
            let rest = self.rotation.rest(chance::draw());
            discovery.alone(sleep(rest)).await?;
            let all = discovery.alone(self.addresses.resolve()).await?;
            if all.is_empty() {
                let reason = "the name cannot be resolved";
                self.complaint.tell(&self.names.join(","), reason);
            }
            self.rotation.begin(all, chance::draw);
        }
    }

    /// Takes note of what became of a visit.
    pub(crate) async fn learn(
        &mut self,
        target: &Target,
        closing: &Closing,
        discovery: &mut Discovery,
    ) -> Result<(), Ended> {
        if closing.connected_for > PROVEN {
            self.complaint.is_told = false;
            let all = discovery.alone(self.addresses.resolve()).await?;
            self.rotation.begin_without(target, all, chance::draw);
        } else {
            let is_pushed_back = closing.answer.code() == Code::ResourceExhausted;
            self.rotation.failed(is_pushed_back);
        }
        self.complaint.close(target, closing);
        Ok(())
    }
}

/// What is said when there is no control plane: once, until there is one again.
#[derive(Debug)]
struct Complaint {
    log: Log,
    is_told: bool,
}

impl Complaint {
    fn close(&mut self, target: &Target, closing: &Closing) {
        let address = &target.address;
        if closing.is_resigned {
            self.log.info("control plane left", &[("address", address)]);
        } else {
            self.tell(address, closing.answer.message());
        }
    }

    fn tell(&mut self, address: &dyn Display, reason: &str) {
        let fields: [(&str, &dyn Display); 2] = [("address", address), ("reason", &reason)];
        if std::mem::replace(&mut self.is_told, true) {
            self.log.debug("control plane not connected", &fields);
        } else {
            self.log.warn("control plane not connected", &fields);
        }
    }
}
