//! What policies in shadow would do: asked where the acting ones are, told, and never done.

use policy::ending::Ending;
use policy::method::Method;

use super::{Attempt, Exchange, peer};
use crate::config::Instead;
use crate::live::Cluster;
use crate::request::Request;
use crate::stages::endpoint::{Affinity, Made};
use crate::stages::retry::{Asked, Standing};
use crate::stages::shadow::{Deed, Ended, Foreseen};
use crate::stages::{Refusal, fallback};
use crate::upstream::InUse;

impl Exchange {
    /// Has a call that is admitted meet what stands in shadow, unless something before that would have refused it.
    pub(super) fn foresee(&mut self, cluster: &Cluster, request: &dyn Request) {
        let (Some(shadow), Some(route)) = (&cluster.foreseen, &self.route) else {
            return;
        };
        if self.record.would_refuse.is_some() {
            return;
        }
        let (class, now_ns) = (self.class(), self.now_ns);
        let is_free = !self.affinity.is_chosen();
        let affinity = is_free.then(|| Affinity::of(&shadow.config, request, || class));
        let entered = Foreseen::enter(
            shadow,
            &self.worker,
            &route.endpoints,
            (class, affinity),
            &self.tries,
            now_ns,
        );
        match entered {
            Ok(foreseen) => self.foreseen = Some(Box::new(foreseen)),
            Err(refusal) => self.note_foreseen(refusal),
        }
    }

    /// Begins an attempt in shadow. Refused there, the first ends what is foreseen of the call.
    pub(super) fn foresee_attempt(&mut self, made: Made) {
        let Some(foreseen) = &mut self.foreseen else {
            return;
        };
        let deeds = &mut self.record.would_do;
        match (
            foreseen.begin(&self.worker, made, deeds, self.now_ns),
            &mut self.current,
        ) {
            (Ok(begun), Some(attempt)) => attempt.foreseen = Some(Box::new(begun)),
            (Ok(_), None) => {}
            (Err(refusal), _) => self.note_foreseen(refusal),
        }
    }

    /// Notes when another attempt would be made beside the one that was just begun.
    pub(super) fn foresee_hedge(&mut self, has_whole_body: bool) {
        let begun = self.current.as_mut().and_then(|it| it.foreseen.as_mut());
        if let (Some(foreseen), Some(begun)) = (&self.foreseen, begun) {
            foreseen.watch(begun, has_whole_body, self.now_ns);
        }
    }

    /// Tells what is in shadow that the response headers are there.
    pub(super) fn foresee_headers(&mut self) {
        let begun = self.current.as_mut().and_then(|it| it.foreseen.as_mut());
        if let (Some(foreseen), Some(begun)) = (&mut self.foreseen, begun) {
            foreseen.on_headers(&self.worker, begun, &mut self.record.would_do, self.now_ns);
        }
    }

    /// Asks what is in shadow whether an attempt would be made again; where one `is_made`, that is no news.
    pub(super) fn foresee_retry(
        &mut self,
        ending: Ending,
        asked: Asked,
        standing: Standing,
        is_made: bool,
    ) {
        let Some(foreseen) = &mut self.foreseen else {
            return;
        };
        let draw = self.worker.chance.draw();
        if foreseen.decide(ending, asked, standing, draw) && !is_made {
            foreseen.note_retry(&mut self.record.would_do);
        }
    }

    /// Tells what is in shadow what an attempt came to.
    pub(super) fn foresee_end(&mut self, attempt: &mut Attempt) {
        let (Some(foreseen), Some(begun)) = (&mut self.foreseen, attempt.foreseen.take()) else {
            return;
        };
        let since_ns = |at_ns: u64| at_ns.saturating_sub(attempt.began_ns);
        let ended = Ended {
            ending: attempt.ending,
            has_failed: peer::has_failed(&attempt.ending),
            is_overload: attempt.is_overload,
            headers_ns: since_ns(attempt.headers_ns.unwrap_or(self.now_ns)),
            latency_ns: since_ns(self.now_ns),
        };
        let deeds = &mut self.record.would_do;
        foreseen.settle(&self.worker, *begun, ended, deeds, self.now_ns);
    }

    /// Ends what is foreseen, with the call.
    pub(super) fn end_foreseen(&mut self) {
        if let Some(foreseen) = self.foreseen.take()
            && let Some(refusal) = foreseen.leave(self.has_succeeded, self.is_stream, self.now_ns)
        {
            self.note_foreseen(refusal);
        }
        let place = self.connection.as_ref();
        let refusal = place.and_then(InUse::would_refuse);
        if let Some(refusal) = refusal.filter(|_| self.record.would_refuse.is_none()) {
            self.note_foreseen(refusal);
        }
    }

    fn note_foreseen(&mut self, refusal: Refusal) {
        self.foreseen = None;
        self.foresee_fallback(&refusal);
        self.record.would_refuse = Some(Box::new(refusal));
    }

    /// Tells whether something else would answer instead of this refusal, other than what does.
    pub(super) fn foresee_fallback(&mut self, refusal: &Refusal) {
        let cluster = self.route.as_ref().map(|route| &route.cluster);
        let Some(shadow) = cluster.and_then(|cluster| cluster.foreseen.as_ref()) else {
            return;
        };
        let Some(block) = &shadow.config.fallback else {
            return;
        };
        let is_open = self.fallen.is_none() && self.record.method != Method::Connect;
        let is_done = self.record.would_do.has(Deed::FallBack);
        let answers = matches!(block.params.instead, Instead::Service(_))
            || fallback::answer(block, refusal, self.traits.is_grpc).is_some();
        let acts = self.fallback_of(refusal);
        let is_news = acts.is_none_or(|acting| acting.params != block.params);
        if is_open && !is_done && answers && is_news && fallback::covers(block, refusal) {
            let deeds = &mut self.record.would_do;
            deeds.note(&shadow.foretold, Deed::FallBack, block.policy.clone());
        }
    }
}
