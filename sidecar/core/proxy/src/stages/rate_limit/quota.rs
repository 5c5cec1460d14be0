//! What clients are told about their quota, on admitted requests too (draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write;
use std::sync::Arc;

use policy::rate_limit::{Rate, View};
use smallvec::SmallVec;

use crate::config::LimitHeaders;
use crate::request::Edit;

const SECOND_NS: u64 = 1_000_000_000;

/// What each limit that applied has left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota(SmallVec<[Line; 2]>);

#[derive(Clone, Debug)]
struct Line {
    headers: LimitHeaders,
    name: Arc<str>,
    rate: Rate,
    view: View,
}

impl Quota {
    pub(super) fn note(&mut self, headers: LimitHeaders, name: &Arc<str>, rate: &Rate, view: View) {
        if headers != LimitHeaders::None {
            self.0.push(Line {
                headers,
                name: Arc::clone(name),
                rate: *rate,
                view,
            });
            self.0.sort_by_key(|line| line.view.remaining);
        }
    }

    /// Adds the fields to an answer, the most restrictive limit first. Fields of the application stay beside them.
    pub(crate) fn tell(&self, edit: &mut dyn Edit) {
        if self.0.is_empty() {
            return;
        }
        let has = |line: &&Line, form| line.headers == form || line.headers == LimitHeaders::Both;
        let standard = || {
            self.0
                .iter()
                .filter(|line| has(line, LimitHeaders::Standard))
        };
        if standard().next().is_some() {
            edit.add(
                "ratelimit-policy",
                list(standard(), Line::policy).as_bytes(),
            );
            edit.add("ratelimit", list(standard(), Line::left).as_bytes());
        }
        if let Some(line) = self.0.iter().find(|line| has(line, LimitHeaders::Legacy)) {
            let mut digits = itoa::Buffer::new();
            edit.add(
                "x-ratelimit-limit",
                digits.format(line.rate.requests()).as_bytes(),
            );
            edit.add(
                "x-ratelimit-remaining",
                digits.format(line.view.remaining).as_bytes(),
            );
            edit.add(
                "x-ratelimit-reset",
                digits.format(line.next_seconds()).as_bytes(),
            );
        }
    }
}

fn list<'a>(lines: impl Iterator<Item = &'a Line>, write: fn(&Line, &mut String)) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push_str(", ");
        }
        write(line, &mut text);
    }
    text
}

impl Line {
    /// `"per-user";q=100;w=1`; a window that is no whole number of seconds cannot be said.
    fn policy(&self, text: &mut String) {
        let _ = write!(text, "\"{}\";q={}", self.name, self.rate.requests());
        if self.rate.per_ns().is_multiple_of(SECOND_NS) {
            let _ = write!(text, ";w={}", self.rate.per_ns() / SECOND_NS);
        }
    }

    /// `"per-user";r=39;t=1`.
    fn left(&self, text: &mut String) {
        let (left, next) = (self.view.remaining, self.next_seconds());
        let _ = write!(text, "\"{}\";r={left};t={next}", self.name);
    }

    /// Seconds until there is more.
    const fn next_seconds(&self) -> u64 {
        self.view.next_token_ns.div_ceil(SECOND_NS)
    }
}
