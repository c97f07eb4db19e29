//! One server process: started, awaited by its log, ended by its id.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::LabError;

/// How long a server may take to become ready: generous, because test machines are busy.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How many ports are tried before giving up: losing one is rare, losing five means something else is wrong.
pub(super) const PORT_ATTEMPTS: u32 = 5;

/// A program of another project that the lab runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    /// As found in `PATH`.
    pub(super) name: &'static str,
    /// The Debian package that holds it.
    pub(super) package: &'static str,
    /// How to get it elsewhere; starts with a comma.
    pub(super) elsewhere: &'static str,
    /// The words in its log that say it serves.
    pub(super) ready: &'static str,
}

/// What starting a process came to, when it is no failure.
pub(super) enum Started {
    /// It serves.
    Ready(Process),
    /// Its port was taken between choosing and binding.
    PortTaken,
}

/// A running server with its directory. Dropping it kills the process and removes the directory.
#[derive(Debug)]
pub(super) struct Process {
    program: Program,
    child: Child,
    /// Ends the server when this process dies without unwinding: it waits for its standard input to close.
    watchdog: Option<Child>,
}

impl Process {
    /// Starts `program` with `arguments`, its log in `directory`, and waits until it says that it serves.
    pub(super) async fn start(
        program: Program,
        arguments: &[String],
        directory: &Path,
    ) -> Result<Started, LabError> {
        Self::start_with(program, arguments, &[], directory).await
    }

    /// The same with more in its environment.
    pub(super) async fn start_with(
        program: Program,
        arguments: &[String],
        environment: &[(&'static str, String)],
        directory: &Path,
    ) -> Result<Started, LabError> {
        let log_path = log_of(program, directory);
        let log = File::create(&log_path).map_err(LabError::io(format!("write {}", log_path.display())))?;
        let errors = log.try_clone().map_err(LabError::io("share the log file"))?;
        let spawned = detached(located(program.name))
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let Program { name, package, elsewhere, .. } = program;
                return Err(LabError::NotInstalled { program: name, package, elsewhere });
            }
            Err(error) => return Err(LabError::io(format!("start {}", program.name))(error)),
        };
        let mut process = Self { program, child, watchdog: None };
        process.watchdog = Some(process.watch(directory)?);
        process.ready(&log_path).await
    }

    async fn ready(mut self, log_path: &Path) -> Result<Started, LabError> {
        let begun = Instant::now();
        loop {
            // The state is read before the log, so that the last words of a dead process are in it.
            let state = self.child.try_wait().map_err(LabError::io("ask for the server's state"))?;
            let log = read_log(log_path)?;
            if state.is_some() {
                if log.to_ascii_lowercase().contains("address already in use") {
                    return Ok(Started::PortTaken);
                }
                return Err(LabError::Ended { program: self.program.name, log: last_words(&log) });
            }
            if log.contains(self.program.ready) {
                return Ok(Started::Ready(self));
            }
            if begun.elapsed() > READY_WITHIN {
                let log = last_words(&log);
                return Err(LabError::NotReady { program: self.program.name, after: READY_WITHIN, log });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The shell waits for the end of its input, which the system closes when this process is gone, however
    /// it went; then it ends the server and removes its directory. Nothing is left behind by a killed test.
    fn watch(&self, directory: &Path) -> Result<Child, LabError> {
        detached("sh")
            .args(["-c", r#"read -r _; kill -9 "$1" 2>/dev/null; sleep 0.2; rm -rf -- "$2""#, "watchdog"])
            .arg(self.child.id().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(LabError::io("start the watchdog of a server"))
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process with everything that descends from it, as far as `/proc` tells (proc(5)).
    pub(super) fn kill_all(&mut self) {
        let mut parents: Vec<(String, String)> = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            // The fourth word is the parent; the second is a name in brackets, which may hold spaces.
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
            if let Some(parent) = parent {
                parents.push((entry.file_name().to_string_lossy().into_owned(), parent.to_owned()));
            }
        }
        let mut family = vec![self.pid().to_string()];
        let mut next = 0;
        while let Some(parent) = family.get(next).cloned() {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| id.clone()));
            next += 1;
        }
        // Without the first, the process itself: it is ended below, where it is waited for. That some have ended
        // meanwhile is what is wanted.
        let descendants = family.iter().skip(1);
        let _ended = Command::new("kill").arg("-KILL").args(descendants).stderr(Stdio::null()).status();
        self.kill();
    }

    /// Ends the process at once and waits for its end.
    pub(super) fn kill(&mut self) {
        // The watchdog first: it must not fire at a process id that the system may give to someone else.
        for child in self.watchdog.iter_mut().chain([&mut self.child]) {
            // Killing fails only for a process that has ended, which is what is wanted.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The full path of a program, also of one for administrators, whose directories are in nobody else's `PATH`; its name
/// where it is nowhere.
fn located(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(more).map(|directory| directory.join(name));
    places.find(|place| place.is_absolute() && place.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// A command in a process group of its own: an interrupt in the terminal, or a signal to the group, is for
/// the lab, which then ends its servers in order.
fn detached(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// A fresh directory for one server.
pub(super) fn state_directory(name: &str) -> Result<TempDir, LabError> {
    tempfile::Builder::new()
        .prefix(&format!("cachescope-lab-{name}-"))
        .tempdir()
        .map_err(LabError::io("make a temporary directory"))
}

/// Writes a file of a server, readable by its owner alone: configurations hold passwords, keys are keys.
pub(super) fn write_private(path: &Path, contents: &str) -> Result<(), LabError> {
    let failed = || LabError::io(format!("write {}", path.display()));
    std::fs::write(path, contents).map_err(failed())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed())?;
    }
    Ok(())
}

/// Where a program says what it does.
pub(super) fn log_of(program: Program, directory: &Path) -> PathBuf {
    directory.join(format!("{}.log", program.name))
}

/// What a helper prints that ends by itself.
pub(super) fn output(command: &mut Command) -> Result<String, LabError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let made = command.stdin(Stdio::null()).output().map_err(LabError::io(format!("run {name}")))?;
    if !made.status.success() {
        let said = std::io::Error::other(String::from_utf8_lossy(&made.stderr).trim().to_owned());
        return Err(LabError::io(format!("run {name}"))(said));
    }
    Ok(String::from_utf8_lossy(&made.stdout).into_owned())
}

/// The end of a log.
pub(super) fn read_log(path: &Path) -> Result<String, LabError> {
    /// A start says little; what is beyond this is not about starting.
    const MOST: u64 = 64 * 1024;
    let failed = |path: &PathBuf| LabError::io(format!("read {}", path.display()));
    let path = path.to_path_buf();
    let mut file = File::open(&path).map_err(failed(&path))?;
    let length = file.metadata().map_err(failed(&path))?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST))).map_err(failed(&path))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).map_err(failed(&path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_words(log: &str) -> String {
    let mut lines: Vec<&str> =
        log.lines().map(str::trim).filter(|line| !line.is_empty()).rev().take(4).collect();
    lines.reverse();
    if lines.is_empty() { "(nothing)".to_owned() } else { lines.join(" / ") }
}
