//! What clients are told about their quota, on admitted requests too (draft-ietf-httpapi-ratelimit-headers).

use std::rc::Rc;

use policy::rate_limit::{Algorithm, Left, Rate};
use smallvec::SmallVec;

use crate::config::LimitHeaders;
use crate::request::Edit;

/// The unit of a quota of requests in flight.
const IN_FLIGHT: &str = ";qu=\"concurrent-requests\"";
const SECOND_NS: u64 = 1_000_000_000;

/// What a limit says of itself: written once, sent often.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    headers: LimitHeaders,
    /// `"per-user"`.
    name: Box<str>,
    /// `"per-user";q=100;w=1`; a window that is no whole number of seconds cannot be said.
    /// `"in-flight";q=50;qu="concurrent-requests"`.
    policy: Box<str>,
    quota: u64,
}

/// What each limit that applied has left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota(SmallVec<[Line; 3]>);

#[derive(Clone, Debug)]
struct Line {
    label: Rc<Label>,
    remaining: u64,
    /// Seconds until there is more, where they are known.
    next_seconds: Option<u64>,
}

impl Label {
    pub(super) fn new(headers: LimitHeaders, name: &str, algorithm: &Algorithm) -> Self {
        let name = format!("\"{name}\"");
        let quota = algorithm.quota();
        let unit = algorithm
            .rate()
            .map_or_else(|| IN_FLIGHT.to_owned(), window);
        Self {
            headers,
            policy: format!("{name};q={quota}{unit}").into(),
            name: name.into(),
            quota,
        }
    }

    fn is_told(&self, form: LimitHeaders) -> bool {
        self.headers == form || self.headers == LimitHeaders::Both
    }
}

fn window(rate: Rate) -> String {
    let seconds = rate.per_ns() / SECOND_NS;
    let is_whole = rate.per_ns().is_multiple_of(SECOND_NS);
    let window = is_whole.then(|| format!(";w={seconds}"));
    window.unwrap_or_default()
}

impl Quota {
    pub(super) fn note(&mut self, label: &Rc<Label>, left: Left) {
        if label.headers != LimitHeaders::None {
            self.0.push(Line {
                label: Rc::clone(label),
                remaining: left.remaining,
                next_seconds: left.more_after_ns.map(|ns| ns.div_ceil(SECOND_NS)),
            });
            self.0.sort_by_key(|line| line.remaining);
        }
    }

    /// Adds the fields to an answer, the most restrictive limit first. Fields of the application stay beside them.
    pub(crate) fn tell(&self, edit: &mut dyn Edit) {
        let told = |form| self.0.iter().filter(move |line| line.label.is_told(form));
        if told(LimitHeaders::Standard).next().is_some() {
            let policies = list(told(LimitHeaders::Standard), Line::write_policy);
            edit.add("ratelimit-policy", &policies);
            let left = list(told(LimitHeaders::Standard), Line::write_left);
            edit.add("ratelimit", &left);
        }
        if let Some(line) = told(LimitHeaders::Legacy).next() {
            let mut digits = itoa::Buffer::new();
            edit.add(
                "x-ratelimit-limit",
                digits.format(line.label.quota).as_bytes(),
            );
            edit.add(
                "x-ratelimit-remaining",
                digits.format(line.remaining).as_bytes(),
            );
            if let Some(seconds) = line.next_seconds {
                edit.add("x-ratelimit-reset", digits.format(seconds).as_bytes());
            }
        }
    }
}

/// A field's value, on the stack when there are few limits.
type Text = SmallVec<[u8; 128]>;

fn list<'a>(lines: impl Iterator<Item = &'a Line>, write: impl Fn(&Line, &mut Text)) -> Text {
    let mut text = Text::new();
    for line in lines {
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        write(line, &mut text);
    }
    text
}

impl Line {
    fn write_policy(&self, text: &mut Text) {
        text.extend_from_slice(self.label.policy.as_bytes());
    }

    /// `"per-user";r=39;t=1`.
    fn write_left(&self, text: &mut Text) {
        let mut digits = itoa::Buffer::new();
        text.extend_from_slice(self.label.name.as_bytes());
        text.extend_from_slice(b";r=");
        text.extend_from_slice(digits.format(self.remaining).as_bytes());
        if let Some(seconds) = self.next_seconds {
            text.extend_from_slice(b";t=");
            text.extend_from_slice(digits.format(seconds).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
