//! One line of the log: a JSON object. Pure.

use std::fmt::Display;
use std::time::SystemTime;

use proxy::json_line::{push_escaped, timestamp};

/// `event` at `at` with its fields, and the end of the line.
pub(super) fn encode(
    at: SystemTime,
    level: &str,
    event: &str,
    fields: &[(&str, &dyn Display)],
) -> Vec<u8> {
    let mut line = format!(
        "{{\"ts\":\"{}\",\"level\":\"{level}\",\"event\":",
        timestamp(at)
    );
    string(&mut line, event);
    for (name, value) in fields {
        line.push(',');
        string(&mut line, name);
        line.push(':');
        string(&mut line, &value.to_string());
    }
    line.push_str("}\n");
    line.into_bytes()
}

fn string(line: &mut String, text: &str) {
    line.push('"');
    push_escaped(line, text);
    line.push('"');
}

#[cfg(test)]
mod tests;
