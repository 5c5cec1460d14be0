//! Retry: whether a failed attempt is made again, and what the caller is told when it is not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use http1::Known;
use policy::Reason;
use policy::budget::{Budget, Params, Rate, Spent};
use policy::ending::Ending;
use policy::method::Method;
use policy::retry::{Attempt, Decision, GiveUp, Progress, Pushback, Request as Tried};
use smallvec::SmallVec;

use crate::clock::nanoseconds;
use crate::config;
use crate::name::PolicyRef;
use crate::request::{Request, Response};

/// The marker of an answer that was retried in vain: whoever called must not start over.
pub(crate) const EXHAUSTED: &[u8] = b"exhausted";

/// The tries of one request.
#[derive(Debug)]
pub(crate) struct Tries {
    request: Tried,
    /// Attempts begun, the first included.
    pub(crate) begun: u32,
    /// Whether one of them was begun beside another.
    pub(crate) has_hedged: bool,
    /// Whether one of those two was not made after all, and is no longer among the attempts begun.
    has_stood_down: bool,
    previous_delay_ns: Option<u64>,
    /// Why the last failure was given up.
    given_up: Option<GiveUp>,
    /// Whether the time was over in an attempt that was not the first.
    is_cut: bool,
    /// Paid for the attempt to come.
    spent: Option<Payment>,
    /// Paid for the attempts under way, the newest last.
    paid: SmallVec<[Payment; 1]>,
    /// Whether the free attempt after a stale connection was used.
    had_free: bool,
    /// Whether a byte of an answer was passed on.
    pub(crate) is_passed_on: bool,
}

/// What an attempt cost, and whom.
type Payment = (Rc<RefCell<Budget>>, Spent);

/// What came with an answer that matters to retries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) is_exhausted: bool,
    pub(crate) retry_after_ns: Option<u64>,
    pub(crate) pushback: Option<Pushback>,
}

/// Where a call stands when an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) left_ns: Option<u64>,
    pub(crate) p50_ns: Option<u64>,
    pub(crate) has_another_endpoint: bool,
    pub(crate) now_ns: u64,
}

impl Tries {
    pub(crate) fn new(request: &dyn Request) -> Self {
        Self {
            request: Tried {
                method: Method::from_bytes(request.method()),
                is_idempotent: request.known(Known::IdempotencyKey).is_some(),
                body_bytes: 0,
            },
            begun: 0,
            has_hedged: false,
            has_stood_down: false,
            previous_delay_ns: None,
            given_up: None,
            is_cut: false,
            spent: None,
            paid: SmallVec::new(),
            had_free: false,
            is_passed_on: false,
        }
    }

    /// The same request, of which nothing was tried yet.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            request: self.request,
            begun: 0,
            previous_delay_ns: None,
            given_up: None,
            is_cut: false,
            spent: None,
            paid: SmallVec::new(),
            had_free: false,
            has_hedged: false,
            has_stood_down: false,
            is_passed_on: false,
        }
    }

    /// Takes in what the service's contract and its policy say of the method.
    pub(crate) fn read_contract(&mut self, cluster: &config::Cluster, request: &dyn Request) {
        if self.request.method == Method::Other
            && let Some(retry) = &cluster.retry
        {
            let mut others = retry.params.other_methods.iter();
            self.request.is_idempotent |= others.any(|name| name.as_bytes() == request.method());
        }
        let path = request.path().strip_prefix(b"/");
        let is_named = |name: &[u8]| name == request.method() || path == Some(name);
        let mut declared = cluster.idempotent_methods.iter();
        self.request.is_idempotent |= declared.any(|name| is_named(name.as_bytes()));
    }

    /// Notes how long the body is, as far as known by now.
    pub(crate) fn note_body(&mut self, body_bytes: u64) {
        self.request.body_bytes = self.request.body_bytes.max(body_bytes);
    }

    /// Whether a failed attempt is made again, and after how long.
    pub(crate) fn decide(
        &mut self,
        retry: &config::Retry,
        budget: &Rc<RefCell<Budget>>,
        ending: Ending,
        asked: Asked,
        standing: Standing,
        draw: u64,
    ) -> Option<u64> {
        let attempt = Attempt {
            ending,
            is_passed_on: self.is_passed_on,
            is_exhausted: asked.is_exhausted,
            retry_after_ns: asked.retry_after_ns,
            pushback: asked.pushback,
        };
        let progress = Progress {
            retries: self.retries(),
            previous_delay_ns: self.previous_delay_ns,
            left_ns: standing.left_ns,
            p50_ns: standing.p50_ns,
            has_another_endpoint: standing.has_another_endpoint,
            now_ns: standing.now_ns,
        };
        let mut machine = budget.borrow_mut();
        match retry
            .params
            .decide(&self.request, &attempt, &progress, &mut machine, draw)
        {
            Decision::Retry { delay_ns, spent } => {
                self.previous_delay_ns = Some(delay_ns);
                self.spent = Some((Rc::clone(budget), spent));
                Some(delay_ns)
            }
            Decision::GiveUp(why) => {
                self.given_up = Some(why);
                None
            }
            Decision::Deliver => None,
        }
    }

    /// Tries made beyond the first call.
    fn retries(&self) -> u32 {
        let is_beside = self.has_hedged && !self.has_stood_down;
        self.begun.saturating_sub(1 + u32::from(is_beside))
    }

    /// Whether an attempt on a pooled connection that turned out to be closed is made once more for free.
    pub(crate) fn take_free(&mut self, replay_bytes: u64) -> bool {
        let is_free = !self.had_free
            && !self.is_passed_on
            && policy::retry::is_free(&self.request, &Ending::Reset, replay_bytes);
        self.had_free |= is_free;
        is_free
    }

    /// Whether a second attempt may be begun beside one, if that is slow.
    pub(crate) fn is_hedgeable(&self, has_whole_body: bool) -> bool {
        !self.has_hedged && policy::hedge::is_hedgeable(self.request.method, has_whole_body)
    }

    /// The attempt that was paid for is made.
    pub(crate) fn use_spent(&mut self) {
        self.paid.clear();
        self.paid.extend(self.spent.take());
    }

    /// So is one beside another.
    pub(crate) fn note_hedged(&mut self, budget: &Rc<RefCell<Budget>>, spent: Spent) {
        self.has_hedged = true;
        self.paid.push((Rc::clone(budget), spent));
    }

    /// An attempt was not made after all, for want of a connection: what it cost comes back.
    pub(crate) fn withdraw(&mut self) {
        self.begun -= 1;
        self.has_stood_down = self.has_hedged;
        if let Some((budget, spent)) = self.paid.pop() {
            budget.borrow_mut().refund(spent);
        }
    }

    /// The attempt that was paid for is not made after all.
    pub(crate) fn refund(&mut self) {
        if let Some((budget, spent)) = self.spent.take() {
            budget.borrow_mut().refund(spent);
        }
    }

    /// Notes that an attempt ended so: a call that was tried again until its time was over is given up as well.
    pub(crate) fn note_end(&mut self, ending: Ending) {
        let is_over = matches!(ending, Ending::RequestTimeout | Ending::CallerDeadline);
        self.is_cut |= is_over && self.retries() > 0;
    }

    /// Whether it was retried in vain, so that whoever called must not start over.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.given_up.is_some() || self.is_cut
    }

    /// Why the answer that goes back was given up, if it was.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.given_up.map(GiveUp::reason)
    }
}

/// A client that left before the attempt pays nothing.
impl Drop for Tries {
    fn drop(&mut self) {
        self.refund();
    }
}

impl Asked {
    /// Reads what came with an answer, at so many nanoseconds since 1970.
    pub(crate) fn read(response: &dyn Response, from_sidecar: bool, unix_ns: u64) -> Self {
        let retry_after = response.known(Known::RetryAfter);
        Self {
            is_exhausted: from_sidecar && response.known(Known::BreakwaterRetry) == Some(EXHAUSTED),
            retry_after_ns: retry_after.and_then(|field| parse_retry_after(field, unix_ns)),
            pushback: response
                .known(Known::GrpcRetryPushbackMs)
                .map(Pushback::parse),
        }
    }
}

/// How long `Retry-After` asks to wait (RFC 9110, 10.2.3): so many seconds, or until a date. One that has passed asks for
/// nothing, and may be the word of a clock that is behind.
fn parse_retry_after(field: &[u8], unix_ns: u64) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(1_000_000_000));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let date_ns = nanoseconds(date.duration_since(SystemTime::UNIX_EPOCH).ok()?);
    date_ns.checked_sub(unix_ns).filter(|wait_ns| *wait_ns > 0)
}

/// Whether an attempt that ended so can be retried or given up at all; most attempts succeed.
pub(crate) fn concerns(retry: &config::Retry, ending: &Ending, asked: &Asked) -> bool {
    let is_refusal = matches!(ending, Ending::PeerRefusal { .. });
    asked.is_exhausted || is_refusal || retry.params.when.cover(ending)
}

/// The budget's figures for this sidecar: its share of the floor that the whole fleet has, or, before anybody
/// told how many callers there are, the smaller of one a second and all of it.
pub(crate) fn share_of(params: &Params, live_callers: Option<u32>) -> Params {
    const SECOND_NS: u64 = 1_000_000_000;
    let fleet = params.floor;
    let floor = match live_callers {
        Some(callers) => Rate {
            count: fleet.count,
            per_ns: fleet.per_ns.saturating_mul(u64::from(callers.max(1))),
        },
        None if u128::from(fleet.count) * u128::from(SECOND_NS) > u128::from(fleet.per_ns) => {
            Rate {
                count: 1,
                per_ns: SECOND_NS,
            }
        }
        None => fleet,
    };
    Params { floor, ..*params }
}

/// The policy behind a cluster's retries.
pub(crate) fn policy_of(cluster: &config::Cluster) -> Option<Arc<PolicyRef>> {
    cluster.retry.as_ref()?.policy.clone()
}

#[cfg(test)]
mod tests;
