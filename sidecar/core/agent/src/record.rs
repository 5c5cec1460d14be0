//! What of the sidecar's counts a control plane has counted, as its last answer says. Pure.
//!
//! It is kept encoded, in a tenth of the memory, since it is needed only when another stream begins.

use prost::Message;

use crate::mesh::{Baseline, MetricFamily, MetricType, ReportRequest};

/// The newest report that was answered, and the one on its way.
#[derive(Debug, Default)]
pub(crate) struct Record {
    counted: Option<Vec<u8>>,
    sent: Option<Vec<u8>>,
}

impl Record {
    /// `report` goes out.
    pub(crate) fn sent(&mut self, report: &ReportRequest) {
        let grows = |family: &&MetricFamily| family.r#type() != MetricType::Gauge;
        let baseline = Baseline {
            at: report.at,
            families: report.families.iter().filter(grows).cloned().collect(),
        };
        self.sent = Some(baseline.encode_to_vec());
    }

    /// What went out last was counted.
    pub(crate) fn answered(&mut self) {
        self.counted = self.sent.take().or_else(|| self.counted.take());
    }

    /// Whether anything was ever counted.
    pub(crate) const fn has_counted(&self) -> bool {
        self.counted.is_some()
    }

    /// What was counted last.
    pub(crate) fn counted(&self) -> Option<Baseline> {
        Baseline::decode(self.counted.as_deref()?).ok()
    }
}

#[cfg(test)]
mod tests;
