use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use policy::Percent;
use policy::rate_limit::strain::Resource;
use proxy::Gauges;

use super::Cgroup;

/// A directory of its own, which ends with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cgroup-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, content: &str) {
        fs::write(self.0.join(file), content).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn memory_is_what_cannot_be_reclaimed_of_the_limit() {
    let files = Directory::new("memory");
    files.write("memory.current", "900\n");
    files.write("memory.stat", "anon 1\ninactive_file 100\n");
    files.write("memory.max", "1000\n");
    let (mut cgroup, gauges) = (Cgroup::new(files.0.clone()), Gauges::default());
    let missing = cgroup.measure(&gauges, Instant::now());
    assert_eq!(missing, [Resource::Cpu, Resource::Pressure]);
    assert_eq!(gauges.read(Resource::Memory), Some(Percent::new(80)));
}

#[test]
fn processor_time_is_that_since_the_last_reading_of_the_quota() {
    let files = Directory::new("cpu");
    files.write("cpu.stat", "usage_usec 5000000\n");
    files.write("cpu.max", "50000 100000\n");
    let (mut cgroup, began) = (Cgroup::new(files.0.clone()), Instant::now());
    assert_eq!(cgroup.cpu(began), None);
    files.write("cpu.stat", "usage_usec 5300000\n");
    let used = cgroup.cpu(began + Duration::from_secs(1));
    assert_eq!(used, Some(Percent::new(60)));
    files.write("cpu.stat", "usage_usec 9000000\n");
    let used = cgroup.cpu(began + Duration::from_secs(2));
    assert_eq!(used, Some(Percent::new(100)));
}

#[test]
fn the_worst_pressure_counts() {
    let files = Directory::new("pressure");
    files.write("cpu.pressure", "some avg10=5.00 avg60=0.00\n");
    files.write("memory.pressure", "some avg10=40.50 avg60=0.00\n");
    let cgroup = Cgroup::new(files.0.clone());
    assert_eq!(cgroup.pressure(), Some(Percent::from_millionths(405_000)));
}

#[test]
fn outside_of_a_cgroup_nothing_is_known() {
    let mut cgroup = Cgroup::new("/nowhere".into());
    let gauges = Gauges::default();
    assert_eq!(cgroup.measure(&gauges, Instant::now()), Resource::ALL);
    assert_eq!(gauges.read(Resource::Memory), None);
}
