//! Admission control: a caller that keeps some calls to itself while the upstream fails or asks for less.
//!
//! Over the window, a call is refused with probability `(requests - successes / successRate) / (requests + 1)`, at
//! most `maxRejectPercent`: nothing while enough of them succeed, the more the fewer do. Calls are counted when they
//! end, those refused here never. Beside that, `breakwater-admit-rate` of an answer says which share an upstream
//! admits; for a second the rest is refused here.

use crate::Percent;
use crate::percent::WHOLE;
use crate::reason::Reason;
use crate::window::TenBuckets;

const REQUESTS: usize = 0;
const SUCCESSES: usize = 1;

/// For so long an upstream's admit rate holds.
const RATE_HOLDS_NS: u64 = 1_000_000_000;

/// The settings of admission control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The share of calls that succeed when all is well.
    pub success_rate: Percent,
    /// What it looks back on, in ten buckets.
    pub window_ns: u64,
    /// The most that is refused.
    pub max_reject: Percent,
}

/// Admission control towards one service.
#[derive(Clone, Debug)]
pub struct Admission {
    params: Params,
    window: TenBuckets<2>,
}

impl Admission {
    /// What a refused call is called.
    pub const REASON: Reason = Reason::AdmissionRate;

    /// Nothing is known yet, and nothing refused.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            window: TenBuckets::new(params.window_ns),
            params,
        }
    }

    /// Counts a call that ended.
    #[inline]
    pub fn record(&mut self, is_success: bool, now_ns: u64) {
        self.window.add(now_ns, REQUESTS);
        if is_success {
            self.window.add(now_ns, SUCCESSES);
        }
    }

    /// Whether a call goes on, by chance.
    #[inline]
    pub fn admits(&mut self, now_ns: u64, draw: u64) -> bool {
        let [requests, successes] = self.window.totals(now_ns).map(u64::from);
        let rate = u64::from(self.params.success_rate.millionths().max(1));
        let (wanted, got) = (requests * rate, successes * u64::from(WHOLE));
        if wanted <= got {
            return true;
        }
        let is_hit = hits(draw, wanted - got, rate * (requests + 1));
        let is_allowed = hits(
            draw,
            self.params.max_reject.millionths().into(),
            WHOLE.into(),
        );
        !(is_hit && is_allowed)
    }

    /// The share of calls that is refused now, rounded down.
    #[must_use]
    pub fn rejects(&mut self, now_ns: u64) -> Percent {
        let [requests, successes] = self.window.totals(now_ns).map(u64::from);
        let rate = u64::from(self.params.success_rate.millionths().max(1));
        let missing = (requests * rate).saturating_sub(successes * u64::from(WHOLE));
        let wanted = u128::from(missing) * u128::from(WHOLE);
        let millionths = wanted / u128::from(rate * (requests + 1));
        let most = self.params.max_reject.millionths();
        Percent::from_millionths(most.min(millionths as u32))
    }

    /// Takes new settings; what was counted is kept, unless the window changes.
    pub fn reconfigure(&mut self, params: Params) {
        if params.window_ns != self.params.window_ns {
            self.window = TenBuckets::new(params.window_ns);
        }
        self.params = params;
    }
}

/// What an upstream said it admits.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmitRate {
    rate: Option<Percent>,
    until_ns: u64,
}

impl AdmitRate {
    /// What a refused call is called.
    pub const REASON: Reason = Reason::AdmissionRate;

    /// Takes what an answer says.
    pub const fn hear(&mut self, rate: Percent, now_ns: u64) {
        self.rate = Some(rate);
        self.until_ns = now_ns.saturating_add(RATE_HOLDS_NS);
    }

    /// Whether what was said still holds.
    #[must_use]
    pub const fn holds(&self, now_ns: u64) -> bool {
        self.rate.is_some() && now_ns < self.until_ns
    }

    /// Whether a call goes on, by chance.
    #[inline]
    #[must_use]
    pub fn admits(&self, now_ns: u64, draw: u64) -> bool {
        match self.rate {
            Some(rate) if now_ns < self.until_ns => {
                hits(draw, rate.millionths().into(), WHOLE.into())
            }
            _ => true,
        }
    }
}

/// Whether a draw falls into the first `part` of `whole`.
const fn hits(draw: u64, part: u64, whole: u64) -> bool {
    (draw as u128 * whole as u128) < ((part as u128) << 64)
}

#[cfg(test)]
mod tests;
