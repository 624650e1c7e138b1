//! How many Ps the machine's limits allow (L-22): the CPUs of the affinity mask,
//! and no more than the cgroup's quota, rounded up and at least 2.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sched::MAX_PROCS;

/// The present limit.
pub(crate) fn allowed() -> u32 {
    let cpus = affinity();
    let limit = quota(Path::new("/")).map_or(cpus, |quota| cpus.min(rounded(quota)));
    limit.clamp(1, MAX_PROCS as u32)
}

/// A quota of less than two CPUs still gets two Ps: with one, a single hog would
/// be all that runs until its slice ends.
fn rounded(quota: f64) -> u32 {
    (quota.ceil() as u32).max(2)
}

#[cfg(target_os = "linux")]
fn affinity() -> u32 {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) if set.count() > 0 => set.count(),
        _ => cores(),
    }
}

#[cfg(not(target_os = "linux"))]
fn affinity() -> u32 {
    cores()
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(1)
}

/// The tightest CPU quota on the way from the process's cgroup to the root, in
/// CPUs. `root` is the file system to look at.
fn quota(root: &Path) -> Option<f64> {
    let membership = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let v2 = membership.lines().find_map(|line| line.strip_prefix("0::"));
    let v1 = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        let path = parts.next()?;
        controllers.split(',').any(|c| c == "cpu").then_some(path)
    });
    let mounts = root.join("sys/fs/cgroup");
    let v2 = v2.and_then(|path| tightest(&mounts, path, v2_quota));
    let v1 = v1.and_then(|path| {
        ["cpu", "cpu,cpuacct"]
            .iter()
            .find_map(|name| tightest(&mounts.join(name), path, v1_quota))
    });
    v2.into_iter().chain(v1).reduce(f64::min)
}

/// The least quota of a cgroup and those above it.
fn tightest(mount: &Path, path: &str, read: fn(&Path) -> Option<f64>) -> Option<f64> {
    let mut dir: PathBuf = mount.join(path.trim_start_matches('/'));
    let mut least: Option<f64> = None;
    loop {
        if let Some(quota) = read(&dir) {
            least = Some(least.map_or(quota, |least| least.min(quota)));
        }
        if dir == mount || !dir.pop() {
            return least;
        }
    }
}

/// `cpu.max`: `max 100000` or `150000 100000`.
fn v2_quota(dir: &Path) -> Option<f64> {
    let text = fs::read_to_string(dir.join("cpu.max")).ok()?;
    let mut words = text.split_whitespace();
    ratio(words.next()?, words.next()?)
}

fn v1_quota(dir: &Path) -> Option<f64> {
    let quota = fs::read_to_string(dir.join("cpu.cfs_quota_us")).ok()?;
    let period = fs::read_to_string(dir.join("cpu.cfs_period_us")).ok()?;
    ratio(quota.trim(), period.trim())
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{quota, rounded};

    fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("gmp-cgroup-{}-{name}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("inside the tree")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        root
    }

    /// Rule L-22; Source: Go's TestCgroupGOMAXPROCS family.
    #[test]
    fn l22_the_tightest_quota_counts() {
        type Case = (
            &'static str,
            &'static [(&'static str, &'static str)],
            Option<f64>,
        );
        let table: &[Case] = &[
            ("none", &[("proc/self/cgroup", "0::/a\n")], None),
            (
                "v2",
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
                    ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
                ],
                Some(1.5),
            ),
            (
                "v2-inner",
                &[
                    ("proc/self/cgroup", "0::/a/b\n"),
                    ("sys/fs/cgroup/a/cpu.max", "800000 100000\n"),
                    ("sys/fs/cgroup/a/b/cpu.max", "250000 100000\n"),
                ],
                Some(2.5),
            ),
            (
                "v1",
                &[
                    ("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/x\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n"),
                    ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
                ],
                Some(3.0),
            ),
            (
                "v1-none",
                &[
                    ("proc/self/cgroup", "3:cpu:/x\n"),
                    ("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n"),
                    ("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"),
                ],
                None,
            ),
        ];
        for (name, files, expected) in table {
            let root = tree(name, files);
            assert_eq!(quota(&root), *expected, "{name}");
            fs::remove_dir_all(root).expect("the tree goes");
        }
    }

    #[test]
    fn l22_quotas_round_up_and_give_at_least_two() {
        assert_eq!([0.5, 1.0, 2.1, 3.0].map(rounded), [2, 2, 3, 3]);
    }
}
