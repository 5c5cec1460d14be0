//! What the process costs.

use std::fs::read_to_string;
use std::ops::Range;
use std::ptr::without_provenance_mut;

/// Resident memory, bytes; zero where the system does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let statm = read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * page_bytes()
}

fn page_bytes() -> u64 {
    // SAFETY: reads a constant of the system and touches no memory.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(0)
}

/// Gives back the pages of programs and libraries that only starting took: the interpreter, which has nothing more to
/// do, and what loading reads once, 5 MB of 16. What is needed again comes back from the system's cache, as it came.
pub(crate) fn give_back_start() {
    let maps = read_to_string("/proc/self/smaps").unwrap_or_default();
    for pages in unwritten(&maps) {
        let start = without_provenance_mut(pages.start);
        // SAFETY: the pages are a file's, nobody can write to them, and none was written to before: whoever reads them
        // later reads what the file says, as now.
        unsafe { libc::madvise(start, pages.len(), libc::MADV_DONTNEED) };
    }
}

/// The addresses in `smaps` at which files can be read alone, and none of whose pages is our own.
fn unwritten(smaps: &str) -> impl Iterator<Item = Range<usize>> {
    let mut pages = None;
    smaps.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match *words {
            ["Anonymous:", "0", _] => pages.take(),
            [name, ..] if name.ends_with(':') => None,
            [range, "r--p" | "r-xp", _, _, _, path] if path.starts_with('/') => {
                pages = addresses(range);
                None
            }
            _ => {
                pages = None;
                None
            }
        }
    })
}

fn addresses(range: &str) -> Option<Range<usize>> {
    let (start, end) = range.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests;
