//! One line of the access log: a JSON object, formatted only when it is written.

use std::fmt::Write;

use super::{Record, method_name};
use crate::json_line::{push_escaped, timestamp};
use crate::report::Direction;
use crate::stages::Refusal;
use crate::trace::hex;
use crate::worker::Worker;

/// Envoy's letters for a rehearsed delay.
const DELAYED: &str = "DI";

/// The line with its line feed.
pub(super) fn format(record: &Record, worker: &Worker, now_ns: u64) -> String {
    let mut line = Line(String::with_capacity(512));
    line.text("ts", &timestamp(worker.clock.wall(record.started_ns)));
    line.text("direction", record.direction.as_str());
    line.text("method", method_name(record.method));
    line.maybe(
        "path_template",
        record.rule.as_ref().map(|rule| &rule.paths),
    );
    line.text("protocol", record.protocol);
    line.number("status", f64::from(record.status));
    line.maybe("grpc_status", record.code.map(policy::grpc::Code::name));
    line.maybe("flags", flags(record));
    line.maybe("reason", record.reason.map(policy::Reason::as_str));
    line.maybe("policy", record.policy.as_ref());
    line.maybe("limit", record.limit.as_ref());
    line.number("attempt_count", f64::from(record.attempts));
    line.maybe("upstream", record.upstream);
    line.number("bytes_in", record.bytes_in as f64);
    line.number("bytes_out", record.bytes_out as f64);
    line.number(
        "duration_ms",
        milliseconds(now_ns.saturating_sub(record.started_ns)),
    );
    line.number("upstream_ms", milliseconds(record.upstream_ns));
    line.number("queue_ms", milliseconds(record.queue_ns));
    line.text("trace_id", &String::from_utf8_lossy(&hex(record.trace.id)));
    line.text(
        "span_id",
        &String::from_utf8_lossy(&hex(u128::from(record.trace.span))[16..]),
    );
    line.text("request_id", &String::from_utf8_lossy(&record.request_id));
    let is_outbound = record.direction == Direction::Outbound;
    line.maybe("src", is_outbound.then_some(&worker.instance));
    line.maybe("dst", record.service.as_ref());
    line.maybe("route", record.rule.as_ref());
    line.maybe(
        "would_refuse",
        record.would_refuse.as_deref().map(would_refuse),
    );
    let deeds = Some(&record.would_do).filter(|deeds| !deeds.is_empty());
    line.maybe("would_do", deeds);
    line.maybe("fallback", record.fallback.as_ref());
    line.end()
}

/// Envoy's letters: of what held the request up, and of why it failed.
fn flags(record: &Record) -> Option<String> {
    let reason = record.reason.map(policy::Reason::envoy_flags);
    if !record.is_delayed {
        return reason.map(str::to_owned);
    }
    let reason = reason.filter(|flags| *flags != "-");
    Some(reason.map_or_else(|| DELAYED.to_owned(), |flags| format!("{DELAYED},{flags}")))
}

/// What would have been told, were the policy not in shadow.
fn would_refuse(refusal: &Refusal) -> String {
    let mut text = refusal.reason.as_str().to_owned();
    if let Some(policy) = &refusal.policy {
        let _ = write!(text, " policy={policy}");
    }
    if let Some(limit) = &refusal.limit {
        let _ = write!(text, " limit={limit}");
    }
    text
}

/// A JSON object in the making.
struct Line(String);

impl Line {
    fn key(&mut self, key: &str) {
        let lead = if self.0.is_empty() { '{' } else { ',' };
        let _ = write!(self.0, "{lead}\"{key}\":");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push('"');
        push_escaped(&mut self.0, value);
        self.0.push('"');
    }

    fn maybe(&mut self, key: &str, value: Option<impl ToString>) {
        match value {
            Some(value) => self.text(key, &value.to_string()),
            None => {
                self.key(key);
                self.0.push_str("null");
            }
        }
    }

    fn number(&mut self, key: &str, value: f64) {
        self.key(key);
        let _ = write!(self.0, "{value}");
    }

    fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// Milliseconds to a thousandth.
fn milliseconds(duration_ns: u64) -> f64 {
    (duration_ns / 1_000) as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
