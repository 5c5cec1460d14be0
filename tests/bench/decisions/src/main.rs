//! Nanoseconds per decision of each pure machine, on one thread and on two, as a table or as lines of JSON.
//!
//! A machine belongs to one worker, so two threads have one each; what they share is the processor.
//! `governor` stands beside the token bucket, shared, as it is meant to be used.

mod calls;
mod chain;
mod fronts;
mod limits;
mod measure;
mod time;

use measure::Case;

/// `decisions [--json] [PART OF A NAME]`.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    let wanted = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    for case in cases() {
        if wanted.is_none_or(|part| case.name.contains(&**part)) {
            report(&case, as_json);
        }
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let machines = [
        limits::cases(),
        fronts::cases(),
        calls::cases(),
        chain::cases(),
    ];
    machines.into_iter().flatten()
}

fn report(case: &Case, as_json: bool) {
    let [one, two] = [1, 2].map(|threads| case.nanoseconds(threads));
    let name = case.name;
    if as_json {
        println!("{{\"name\": \"{name}\", \"one\": {one:.2}, \"two\": {two:.2}}}");
    } else {
        println!("{name:<44} {one:>8.2} {two:>8.2} ns");
    }
}
