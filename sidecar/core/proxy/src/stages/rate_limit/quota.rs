//! What clients are told about their quota, on admitted requests too (draft-ietf-httpapi-ratelimit-headers).

use std::rc::Rc;

use http::HeaderName;
use policy::rate_limit::{Algorithm, Left, Rate};
use smallvec::SmallVec;

use crate::config::LimitHeaders;
use crate::request::{Edit, Response};

/// The unit of a quota of requests in flight.
const IN_FLIGHT: &str = ";qu=\"concurrent-requests\"";
const SECOND_NS: u64 = 1_000_000_000;
/// The fields of the older form.
const LIMIT: &str = "x-ratelimit-limit";
const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

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
        Self::named(headers, format!("\"{name}\"").into(), algorithm)
    }

    /// The same of a limit whose figure is another one by now.
    pub(super) fn of(&self, algorithm: &Algorithm) -> Self {
        Self::named(self.headers, self.name.clone(), algorithm)
    }

    fn named(headers: LimitHeaders, name: Box<str>, algorithm: &Algorithm) -> Self {
        let quota = algorithm.quota();
        let unit = algorithm
            .rate()
            .map_or_else(|| IN_FLIGHT.to_owned(), window);
        Self {
            headers,
            policy: format!("{name};q={quota}{unit}").into(),
            name,
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

    /// Adds the fields to an answer of the sidecar's own, the most restrictive limit first.
    pub(crate) fn tell(&self, edit: &mut dyn Edit) {
        self.tell_all(edit);
        if let Some(line) = self.told(LimitHeaders::Legacy).next() {
            line.tell(edit);
        }
    }

    /// The same to an answer that says more: what it lists of its own stays beside them. The older form has room for
    /// one quota, which is the more restrictive one.
    pub(crate) fn tell_beside(&self, response: &dyn Response, edit: &mut dyn Edit) {
        self.tell_all(edit);
        let Some(line) = self.told(LimitHeaders::Legacy).next() else {
            return;
        };
        let theirs = response.find(REMAINING).and_then(read_count);
        if theirs.is_none_or(|theirs| line.remaining < theirs) {
            for name in [LIMIT, REMAINING, RESET] {
                edit.remove_field(&HeaderName::from_static(name));
            }
            line.tell(edit);
        }
    }

    fn told(&self, form: LimitHeaders) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(move |line| line.label.is_told(form))
    }

    fn tell_all(&self, edit: &mut dyn Edit) {
        let told = || self.told(LimitHeaders::Standard);
        if told().next().is_some() {
            let policies = list(told(), Line::write_policy);
            edit.add("ratelimit-policy", &policies);
            let left = list(told(), Line::write_left);
            edit.add("ratelimit", &left);
        }
    }
}

fn read_count(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
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
    /// Adds the older form.
    fn tell(&self, edit: &mut dyn Edit) {
        let mut digits = itoa::Buffer::new();
        edit.add(LIMIT, digits.format(self.label.quota).as_bytes());
        edit.add(REMAINING, digits.format(self.remaining).as_bytes());
        if let Some(seconds) = self.next_seconds {
            edit.add(RESET, digits.format(seconds).as_bytes());
        }
    }

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
