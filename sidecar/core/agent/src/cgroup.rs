//! What the workload's cgroup (v2) uses of what it may use, read from the files of the kernel.
//!
//! | resource | used | of |
//! |---|---|---|
//! | memory | `memory.current` less `inactive_file`, as for evictions by a kubelet | `memory.max`, else the machine's |
//! | cpu | growth of `usage_usec` in `cpu.stat` since the last reading | `cpu.max`, else every processor there is |
//! | pressure | the highest `some avg10` of `cpu.pressure`, `memory.pressure`, `io.pressure` | the last 10 s |

mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use policy::Percent;
use policy::rate_limit::strain::Resource;
use proxy::Gauges;
use tokio::time::sleep;

use crate::log::Log;

/// How often it is read.
const PERIOD: Duration = Duration::from_secs(1);
/// Where the kernel shows cgroups.
const MOUNT: &str = "/sys/fs/cgroup";

/// The files of one cgroup.
#[derive(Debug)]
struct Cgroup {
    directory: PathBuf,
    /// Processor time used until then, in microseconds.
    spent: Option<(Instant, u64)>,
}

/// Reads the cgroup at `directory`, else the one of this process: memory always, the rest while some policy wants to
/// know.
pub(crate) async fn watch(directory: Option<PathBuf>, gauges: Arc<Gauges>, log: Log) {
    let mut cgroup = Cgroup::new(directory.unwrap_or_else(own));
    let mut unknown = Vec::new();
    loop {
        sleep(PERIOD).await;
        if !gauges.are_wanted() {
            cgroup.spent = None;
            gauges.publish(Resource::Memory, cgroup.memory());
            continue;
        }
        let is_settled = cgroup.spent.is_some();
        let missing = cgroup.measure(&gauges, Instant::now());
        if is_settled && unknown != missing {
            cgroup.tell(&missing, &log);
            unknown = missing;
        }
    }
}

/// The cgroup of this process; as seen from its own namespace, that is the root.
fn own() -> PathBuf {
    let mount = Path::new(MOUNT);
    let known = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = files::own_path(&known).trim_start_matches('/');
    let directory = mount.join(path);
    if directory.is_dir() {
        directory
    } else {
        mount.to_owned()
    }
}

impl Cgroup {
    const fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            spent: None,
        }
    }

    /// Publishes what is used; returns what nobody knows.
    fn measure(&mut self, gauges: &Gauges, now: Instant) -> Vec<Resource> {
        let mut missing = Vec::new();
        for resource in Resource::ALL {
            let used = match resource {
                Resource::Cpu => self.cpu(now),
                Resource::Memory => self.memory(),
                Resource::Pressure => self.pressure(),
            };
            gauges.publish(resource, used);
            if used.is_none() {
                missing.push(resource);
            }
        }
        missing
    }

    fn tell(&self, missing: &[Resource], log: &Log) {
        let directory = self.directory.display();
        for resource in missing {
            log.warn(
                "resource not known, its limits refuse nothing",
                &[("resource", &resource.as_str()), ("cgroup", &directory)],
            );
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(file)).ok()
    }

    /// The share of the processor time since the last reading.
    fn cpu(&mut self, now: Instant) -> Option<Percent> {
        let spent_us = files::field(&self.read("cpu.stat")?, "usage_usec")?;
        let (then, before_us) = self.spent.replace((now, spent_us))?;
        let passed_us = now.duration_since(then).as_micros();
        let all = available_parallelism().map_or(1, |count| count.get() as u64);
        let quota = self.read("cpu.max").and_then(|text| files::quota(&text));
        let (quota_us, period_us) = quota.unwrap_or((all, 1));
        let most_us = passed_us * u128::from(quota_us) / u128::from(period_us);
        Some(share(spent_us.saturating_sub(before_us).into(), most_us))
    }

    fn memory(&self) -> Option<Percent> {
        let current: u64 = self.read("memory.current")?.trim().parse().ok()?;
        let stat = self.read("memory.stat").unwrap_or_default();
        let cached = files::field(&stat, "inactive_file").unwrap_or(0);
        let limit = self.read("memory.max");
        let limit = limit.and_then(|text| text.trim().parse().ok());
        let most = limit.or_else(machine_bytes)?;
        Some(share(current.saturating_sub(cached).into(), most.into()))
    }

    fn pressure(&self) -> Option<Percent> {
        let files = ["cpu.pressure", "memory.pressure", "io.pressure"];
        let read = |file: &&str| files::some_avg10(&self.read(file)?);
        files.iter().filter_map(read).max()
    }
}

/// The memory of the whole machine.
fn machine_bytes() -> Option<u64> {
    let known = fs::read_to_string("/proc/meminfo").ok()?;
    Some(files::field(&known, "MemTotal:")? * 1024)
}

/// At most all of it.
fn share(used: u128, most: u128) -> Percent {
    let whole = u128::from(Percent::new(100).millionths());
    let millionths = (used * whole).checked_div(most).unwrap_or(whole);
    Percent::from_millionths(millionths.min(whole) as u32)
}

#[cfg(test)]
mod tests;
