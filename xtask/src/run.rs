//! Child processes: what they print, how long they may take, and that they end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// A command in the root of the repository, which is also shown before it runs.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

/// `cargo`, the one that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments);
    // What cargo tells its children about this package is nothing that other builds should depend on.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a command in the foreground, where it may ask questions, and fails when it does.
pub(crate) fn foreground(command: &mut Command) -> Result<()> {
    let words = words(command);
    eprintln!("$ {words}");
    let status = command.status().with_context(|| format!("{words} could not be started"))?;
    ended_well(&words, status)
}

/// Runs a command without input in a process group of its own. When it ends, takes longer than `within`, or
/// when this program dies first, however that happens, the whole group is ended: nothing is left behind.
pub(crate) fn bounded(command: &mut Command, within: Duration) -> Result<()> {
    let words = words(command);
    eprintln!("$ {words}");
    command.stdin(Stdio::null());
    let mut group = Group::start(command).with_context(|| format!("{words} could not be started"))?;
    let begun = Instant::now();
    loop {
        if let Some(status) = group.leader.try_wait()? {
            return ended_well(&words, status);
        }
        if begun.elapsed() > within {
            bail!("{words} took longer than {} min and was ended", within.as_secs() / 60);
        }
        sleep(Duration::from_millis(50));
    }
}

/// Standard output of a command that is expected to succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let words = words(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{words} could not be started"))?;
    ended_well(&words, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("{words} printed something that is not text"))
}

/// Whether a command runs and succeeds; what it prints is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn ended_well(words: &str, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{words} failed ({status})");
}

/// The command as one would type it: paths inside the repository shortened, and programs outside it named.
fn words(command: &Command) -> String {
    let root = workspace::root();
    let short = |word: &OsStr| {
        let path = Path::new(word);
        path.strip_prefix(&root).unwrap_or(path).display().to_string()
    };
    let program = Path::new(command.get_program());
    let named = if program.starts_with(&root) { None } else { program.file_name() };
    let mut words = vec![short(named.unwrap_or(program.as_os_str()))];
    words.extend(command.get_args().map(short));
    words.join(" ")
}

/// A process and everything it starts.
struct Group {
    leader: Child,
    /// Waits for the end of its input, which comes when this program lets go of it or is gone.
    watchdog: Option<Child>,
}

impl Group {
    #[cfg(unix)]
    fn start(command: &mut Command) -> std::io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let leader = command.process_group(0).spawn()?;
        let watchdog = Command::new("sh")
            .args(["-c", r#"read -r _; kill -TERM "-$1" || exit 0; sleep 1; kill -KILL "-$1""#, "watchdog"])
            .arg(leader.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let mut group = Self { leader, watchdog: None };
        group.watchdog = Some(watchdog?);
        Ok(group)
    }

    #[cfg(not(unix))]
    fn start(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { leader: command.spawn()?, watchdog: None })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            drop(watchdog.stdin.take());
            let _reaped = watchdog.wait();
        } else {
            // Fails only for a process that has ended, which is what is wanted.
            let _ended = self.leader.kill();
        }
        let _reaped = self.leader.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_everything_it_started() -> Result<()> {
        let note = std::env::temp_dir().join(format!("xtask-{}-grandchild", std::process::id()));
        let script = format!("sleep 300 & echo $! > '{}'; wait", note.display());
        let error = bounded(command("sh").args(["-c", &script]), Duration::from_millis(500));
        assert!(error.is_err_and(|error| error.to_string().contains("took longer")));

        let grandchild = std::fs::read_to_string(&note)?;
        std::fs::remove_file(&note)?;
        // Nothing, or a zombie that its new parent has not looked after yet.
        let state = command("ps").args(["-o", "stat=", "-p", grandchild.trim()]).output()?.stdout;
        assert!(state.is_empty() || state.starts_with(b"Z"), "{grandchild} still runs");
        Ok(())
    }

    #[test]
    fn a_command_that_fails_is_named() {
        let error = bounded(&mut command("false"), Duration::from_secs(10)).expect_err("it fails");
        assert!(error.to_string().starts_with("false failed"), "{error}");
    }
}
