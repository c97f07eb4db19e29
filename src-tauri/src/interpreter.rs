//! The page's scripts are interpreted: compiling them takes more memory than everything else that the page does.
//!
//! WebKitGTK's just-in-time compilers, with their code and their profiles, took 30 to 40 MB of the page's process
//! for a page that changes once a second. They are switched by an environment variable alone
//! (`JSC_useJIT`, an option of JavaScriptCore's `runtime/OptionsList.h`), which the page's process inherits. The
//! program may not change its own environment once it has threads, so it is started once more in its place.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

const COMPILE: &str = "JSC_useJIT";

/// Starts the program once more in this process, with the page's compilers off, unless something is said about
/// them already. Returns where they are settled, or where it can't be done: then the page takes more memory.
pub(crate) fn ensure() {
    if std::env::var_os(COMPILE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only when it fails.
    let error = again.args(arguments).env(COMPILE, "0").exec();
    tracing::warn!("the page's compilers stay on, which takes some 40 MB: {error}");
}
