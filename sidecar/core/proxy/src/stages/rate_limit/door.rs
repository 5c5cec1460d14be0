//! Limits of connections, asked when one is accepted. Of a connection nothing is known but where it comes from.

use std::net::IpAddr;
use std::rc::Rc;

use policy::Moment;

use super::matching::Governed;
use super::{Charges, Limits, Quota, Refusal};
use crate::config::{Exemption, LimitHeaders, LimitResponse, LimitRules};
use crate::request::{Opaque, Sender};
use crate::worker::Worker;

impl Limits {
    /// The limits of connections that `rules` state. Those that are open stay counted.
    pub(crate) fn of_connections(
        rules: &[LimitRules],
        members: u32,
        old: Option<&Self>,
        at: Moment,
    ) -> Self {
        let rules: Vec<_> = rules.iter().map(of_connections).collect();
        Self::new(&rules, members, old, at)
    }

    /// Asks every limit of connections; what they charge goes back when the connection ends.
    pub(crate) fn open(
        &self,
        worker: &Rc<Worker>,
        peer: IpAddr,
    ) -> Result<Option<Charges>, Refusal> {
        let at = worker.moment(worker.clock.now_ns());
        let opened = Opaque(Sender {
            address: peer,
            connection: 0,
        });
        let admission = self.admit(
            worker,
            Governed::alone(&opened),
            (at, None),
            &mut Quota::default(),
        )?;
        Ok(admission.charges)
    }
}

/// The same policy, said of connections: no headers to tell a quota in, and no paths to be exempt by.
fn of_connections(rules: &LimitRules) -> LimitRules {
    let is_known = |exemption: &&Exemption| matches!(exemption, Exemption::SourceIp { .. });
    LimitRules {
        policy: rules.policy.clone(),
        limits: rules.connections.clone(),
        connections: Vec::new(),
        uploads: Vec::new(),
        downloads: Vec::new(),
        resources: Vec::new(),
        is_shadow: rules.is_shadow,
        reach: rules.reach.clone(),
        exempt: rules.exempt.iter().filter(is_known).cloned().collect(),
        response: LimitResponse {
            headers: LimitHeaders::None,
            ..rules.response
        },
    }
}
