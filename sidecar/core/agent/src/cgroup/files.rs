//! What stands in the files of a cgroup.

use policy::Percent;

/// The cgroup of a process, by its `/proc/PID/cgroup`: the line of version 2 is `0::PATH`.
pub(super) fn own_path(text: &str) -> &str {
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default()
}

/// The number that stands after a name at the beginning of a line.
pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    let mut found = lines.find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
    found.next()?.parse().ok()
}

/// Microseconds of processor time per so many of real time; none without a limit.
pub(super) fn quota(text: &str) -> Option<(u64, u64)> {
    let (quota, period) = text.trim().split_once(' ')?;
    let period = period.parse().ok().filter(|period| *period > 0)?;
    Some((quota.parse().ok()?, period))
}

/// The share of the last 10 s in which some task waited.
pub(super) fn some_avg10(text: &str) -> Option<Percent> {
    let mut lines = text.lines();
    let some = lines.find_map(|line| line.strip_prefix("some "))?;
    let mut words = some.split_ascii_whitespace();
    let percent: f64 = words
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()?;
    Some(Percent::from_millionths(
        (percent.clamp(0.0, 100.0) * 10_000.0).round() as u32,
    ))
}

#[cfg(test)]
mod tests;
