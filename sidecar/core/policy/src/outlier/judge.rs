//! The verdicts of one sweep, over what the interval counted.

use super::{Cause, Ejection, FailurePercentage, Latency, Params, Recorded, SuccessRate};

/// Who is to be ejected, in order, each for the first cause that holds.
pub(super) fn judge<R: Recorded>(params: &Params, members: &mut [R], now_ns: u64) -> Vec<Ejection> {
    let mut causes: Vec<Option<Cause>> = vec![None; members.len()];
    if let Some(rules) = &params.latency {
        by_latency(rules, members, now_ns, &mut causes);
    }
    if let Some(rules) = &params.failure_percentage {
        by_failure_percentage(rules, members, now_ns, &mut causes);
    }
    if let Some(rules) = &params.success_rate {
        by_success_rate(rules, members, now_ns, &mut causes);
    }
    let ejection = |(endpoint, cause): (u32, Option<Cause>)| {
        Some(Ejection {
            endpoint,
            cause: cause?,
        })
    };
    (0..).zip(causes).filter_map(ejection).collect()
}

/// The positions of those in use with enough calls; none where they are too few to compare.
fn eligible<R: Recorded>(
    members: &[R],
    minimum_requests: u32,
    minimum_endpoints: u32,
    now_ns: u64,
) -> Vec<usize> {
    let is_eligible = |member: &R| {
        let record = member.record();
        !record.is_ejected(now_ns) && record.calls() > 0 && record.calls() >= minimum_requests
    };
    let found: Vec<usize> = (0..members.len())
        .filter(|&at| is_eligible(&members[at]))
        .collect();
    if found.len() < minimum_endpoints as usize {
        return Vec::new();
    }
    found
}

fn by_success_rate<R: Recorded>(
    rules: &SuccessRate,
    members: &[R],
    now_ns: u64,
    causes: &mut [Option<Cause>],
) {
    let compared = eligible(
        members,
        rules.minimum_requests,
        rules.minimum_endpoints,
        now_ns,
    );
    let rate = |at: usize| {
        let record = members[at].record();
        f64::from(record.calls() - record.failures()) / f64::from(record.calls())
    };
    let count = compared.len() as f64;
    let mean = compared.iter().map(|&at| rate(at)).sum::<f64>() / count;
    let variance = compared
        .iter()
        .map(|&at| (rate(at) - mean).powi(2))
        .sum::<f64>()
        / count;
    let lowest = mean - rules.stdev_factor * variance.sqrt();
    for at in compared {
        if rate(at) < lowest {
            causes[at] = Some(Cause::SuccessRate);
        }
    }
}

fn by_failure_percentage<R: Recorded>(
    rules: &FailurePercentage,
    members: &[R],
    now_ns: u64,
    causes: &mut [Option<Cause>],
) {
    let judged = eligible(
        members,
        rules.minimum_requests,
        rules.minimum_endpoints,
        now_ns,
    );
    for at in judged {
        let record = members[at].record();
        if rules
            .threshold
            .is_reached_by(record.failures(), record.calls())
        {
            causes[at] = Some(Cause::FailurePercentage);
        }
    }
}

fn by_latency<R: Recorded>(
    rules: &Latency,
    members: &mut [R],
    now_ns: u64,
    causes: &mut [Option<Cause>],
) {
    let p90_ns = |member: &R| {
        let record = member.record();
        let found = record.p90_ns(rules.minimum_samples);
        found.filter(|_| !record.is_ejected(now_ns))
    };
    let mut sorted: Vec<u64> = members.iter().filter_map(p90_ns).collect();
    sorted.sort_unstable();
    for (member, cause) in members.iter_mut().zip(causes) {
        let is_slow = p90_ns(member).is_some_and(|own_ns| {
            median_of_others(&sorted, own_ns)
                .is_some_and(|median_ns| own_ns as f64 > rules.factor * median_ns)
        });
        let record = member.record_mut();
        if record.note_slow(is_slow) >= rules.sweeps.max(1) {
            record.note_slow(false);
            *cause = Some(Cause::Latency);
        }
    }
}

/// The median of `sorted` without one value that is in it; none when nothing else is.
fn median_of_others(sorted: &[u64], own: u64) -> Option<f64> {
    let place = sorted.partition_point(|&value| value < own);
    let other = |at: usize| sorted.get(if at < place { at } else { at + 1 });
    let last = sorted.len().checked_sub(2)?;
    let (lower, upper) = (other(last / 2)?, other(last.div_ceil(2))?);
    Some((*lower as f64 + *upper as f64) / 2.0)
}
