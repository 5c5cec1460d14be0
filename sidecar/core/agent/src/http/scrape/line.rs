//! One line of what an application measures, in the text format of Prometheus 0.0.4. One that its readers do not
//! understand makes them refuse the whole page.

use std::collections::HashSet;

/// What the names of ours begin with.
const OWN: &str = "breakwater_";
const TYPES: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];

/// Whether a line is understood by everybody, and is not about a family of ours.
pub(super) fn may_be_shown(line: &str) -> bool {
    match line.strip_prefix('#') {
        Some(comment) => is_about(comment),
        None => is_sample(line),
    }
}

/// Whether a comment says something about a family; others say nothing to anybody.
fn is_about(comment: &str) -> bool {
    let mut words = comment.trim_start().splitn(3, [' ', '\t']);
    match (words.next(), words.next(), words.next()) {
        (Some("HELP"), Some(name), _) => is_foreign(name),
        (Some("TYPE"), Some(name), Some(word)) => is_foreign(name) && TYPES.contains(&word.trim()),
        _ => false,
    }
}

fn is_sample(line: &str) -> bool {
    let end = line
        .find(|letter: char| letter == '{' || letter.is_ascii_whitespace())
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    is_foreign(name) && after_labels(rest).is_some_and(is_value)
}

fn is_foreign(name: &str) -> bool {
    is_name(name, ":") && !name.starts_with(OWN)
}

fn is_name(name: &str, also: &str) -> bool {
    let fits =
        |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || also.contains(letter);
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(fits)
}

/// What follows the labels, each of which has another name; `None` where they are not well formed.
fn after_labels(text: &str) -> Option<&str> {
    let Some(mut rest) = text.trim_start().strip_prefix('{') else {
        return Some(text);
    };
    let mut names = HashSet::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some(rest);
        }
        let (name, value) = rest.split_once('=')?;
        let name = name.trim();
        if !is_name(name, "") || !names.insert(name) {
            return None;
        }
        rest = after_value(value.trim_start())?.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// What follows a value in quotes.
fn after_value(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let mut letters = inside.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return inside.get(place + 1..),
            '\\' => {
                let (_, escaped) = letters.next()?;
                if !matches!(escaped, '\\' | '"' | 'n') {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether this is a number, and a time in milliseconds if there is more.
fn is_value(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let is_number = words
        .next()
        .is_some_and(|number| number.parse::<f64>().is_ok());
    let is_time = words.next().is_none_or(|time| time.parse::<i64>().is_ok());
    is_number && is_time && words.next().is_none()
}
