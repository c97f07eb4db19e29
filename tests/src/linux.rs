//! What only Linux tells, in `/proc` (proc(5)): how old a process is, and what memory and CPU it and its children take; and
//! a clock for one process that can be set (faketime(1)).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc/PID/stat`: USER_HZ is 100 on every architecture that desktops run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The process.
    pub id: u32,
    /// The program's name.
    pub name: String,
    /// Its proportional set size in bytes: pages shared by `n` processes count as `1/n`.
    pub pss: u64,
    /// The part of it that no file backs: heaps and stacks.
    pub anonymous: u64,
}

/// A program that gets what CPU nobody else wants (`SCHED_IDLE`, chrt(1)). Whoever uses Cachescope has it on another
/// machine than the servers and their clients; on this one it must not take their cores, so that what they feel is what
/// it asks of the server.
#[must_use]
pub fn on_a_machine_of_its_own(program: &Path) -> Command {
    let mut command = Command::new("chrt");
    command.args(["--idle", "0"]).arg(program);
    command
}

/// The words of `/proc/PID/stat` after the program's name, which may hold spaces itself: state, parent, …
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let after_name = text.rsplit_once(')')?.1;
    Some(after_name.split_whitespace().map(str::to_owned).collect())
}

/// Seconds since a process was started, in steps of 10 ms.
///
/// # Errors
/// When the process is gone, or this is no Linux.
pub fn age_seconds(id: u32) -> Result<f64> {
    let gone = || format!("process {id} is gone");
    // Field 22, the third being the first here.
    let started: f64 = stat(id).and_then(|words| words.get(19)?.parse().ok()).with_context(gone)?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let now: f64 = uptime.split_whitespace().next().context("/proc/uptime is empty")?.parse()?;
    Ok(now - started / TICKS_PER_SECOND)
}

/// Memory of a process and of everything that descends from it, the process first.
///
/// # Errors
/// As [`age_seconds`].
pub fn memory_of_tree(root: u32) -> Result<Vec<Memory>> {
    let mut found =
        vec![memory(root).with_context(|| format!("the memory of process {root} can't be read"))?];
    found.extend(descendants(root)?.into_iter().filter_map(memory));
    Ok(found)
}

/// Seconds of CPU that a process and all that descends from it have taken, in steps of 10 ms each. Those that have
/// ended no longer count.
///
/// # Errors
/// As [`age_seconds`].
pub fn cpu_seconds_of_tree(root: u32) -> Result<f64> {
    // Fields 14 and 15: in user mode and in the kernel.
    let taken = |id: u32| -> Option<u64> {
        let words = stat(id)?;
        Some(words.get(11)?.parse::<u64>().ok()? + words.get(12)?.parse::<u64>().ok()?)
    };
    let of_root = taken(root).with_context(|| format!("process {root} is gone"))?;
    let ticks: u64 = descendants(root)?.into_iter().filter_map(taken).sum();
    Ok((of_root + ticks) as f64 / TICKS_PER_SECOND)
}

/// What descends from a process, in no order.
fn descendants(root: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that ended in the meantime has no parent any more.
        if let Some(parent) = stat(id).and_then(|words| words.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        let of_it = children.get(&parent).map(Vec::as_slice).unwrap_or_default();
        open.extend(of_it);
        found.extend(of_it);
    }
    Ok(found)
}

/// The most memory in bytes that a process has had at one time, pages of files included.
///
/// # Errors
/// When the process is gone, or this is no Linux.
pub fn peak_memory(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    kibibytes(&status, "VmHWM:").with_context(|| format!("process {id} has ended"))
}

/// A wall clock for one process, which can be set while it runs; its monotonic clock goes on.
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    offset: tempfile::NamedTempFile,
}

impl FakeClock {
    /// A clock that is right so far.
    ///
    /// # Errors
    /// Where Debian's `libfaketime` is not installed.
    pub fn new() -> Result<Self> {
        let folders = fs::read_dir("/usr/lib").context("/usr/lib can't be read")?.flatten();
        let library = folders
            .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.exists())
            .context("libfaketime is missing; `cargo xtask setup` installs it")?;
        let clock = Self { library, offset: tempfile::NamedTempFile::new()? };
        clock.set(0)?;
        Ok(clock)
    }

    /// So many seconds ahead of the true time, or behind it.
    ///
    /// # Errors
    /// When the file that says so can't be written.
    pub fn set(&self, seconds: i64) -> Result<()> {
        // Put in place in one go: the library reads it at every look at the clock.
        let folder = self.offset.path().parent().unwrap_or_else(|| Path::new("."));
        let mut next = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut next, format!("{seconds:+}\n").as_bytes())?;
        next.persist(self.offset.path())?;
        Ok(())
    }

    /// The environment of the process that is to go by it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &Path); 4] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", self.offset.path()),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
        ]
    }
}

/// A line such as `Pss:   123 kB`, in bytes.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Nothing where the process has ended.
fn memory(id: u32) -> Option<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let bytes = |field: &str| kibibytes(&rollup, field);
    let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default().trim().to_owned();
    Some(Memory { id, name, pss: bytes("Pss:")?, anonymous: bytes("Pss_Anon:").unwrap_or_default() })
}
