//! What lines of JSON have in common, the access log's and the program's: instants, and strings that end neither
//! themselves nor their line.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends a string's value, in runs up to what has to be escaped.
pub fn push_escaped(line: &mut String, text: &str) {
    for run in text.split_inclusive(is_special) {
        match run.char_indices().next_back() {
            Some((end, special)) if is_special(special) => {
                line.push_str(&run[..end]);
                escape(line, special);
            }
            _ => line.push_str(run),
        }
    }
}

fn is_special(char: char) -> bool {
    matches!(char, '"' | '\\') || char.is_control()
}

fn escape(line: &mut String, special: char) {
    if special.is_control() {
        let _ = write!(line, "\\u{:04x}", u32::from(special));
    } else {
        line.extend(['\\', special]);
    }
}

/// RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (year, month, day) = date(since.as_secs() / 86_400);
    let (seconds, millis) = (since.as_secs() % 86_400, since.subsec_millis());
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date so many days after 1970-01-01, in the Gregorian calendar (Hinnant, "chrono-compatible low-level
/// date algorithms": years counted from March, in cycles of 400).
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_cycle + cycle * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests;
