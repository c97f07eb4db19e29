//! What a page that changes once a second does not need is not kept in memory.
//!
//! - The page's scripts are interpreted. WebKitGTK's just-in-time compilers, with their code and their profiles, took
//!   30 to 40 MB of the page's process (`JSC_useJIT`, an option of JavaScriptCore's `runtime/OptionsList.h`, as are the
//!   next ones).
//! - The page's objects are collected after 2 MB of new ones and not after 32, and the heap grows as on a small
//!   machine; code that has not run for a while is dropped sooner (`JSC_largeHeapSize`, `JSC_forceRAMSize`,
//!   `JSC_numberOfGCMarkers`, `JSC_useEagerCodeBlockJettisonTiming`).
//! - Every frame reaches the page as a script that is run once and never again; what it was compiled to is not kept
//!   for the next time (`JSC_useCodeCache`).
//! - What the allocator of this process no longer uses goes back to the system at once, and not after a while in
//!   which it is used again: with 5,000 namespaces that kept 10 to 20 MB (`MIMALLOC_PURGE_DELAY`, see mimalloc's
//!   documentation of its environment options).
//! - The same from the system's allocator, which GTK and WebKit's libraries use (`MALLOC_…`, see `mallopt(3)`).
//!
//! All are switched by environment variables alone. The program may not change its own environment once it has
//! threads, so it is started once more in its place. What each saves is in docs/memory.md.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

const SETTINGS: [(&str, &str); 10] = [
    ("JSC_useJIT", "0"),
    ("JSC_largeHeapSize", "2000000"),
    ("JSC_forceRAMSize", "64000000"),
    ("JSC_numberOfGCMarkers", "1"),
    ("JSC_useEagerCodeBlockJettisonTiming", "1"),
    ("JSC_useCodeCache", "0"),
    ("MIMALLOC_PURGE_DELAY", "0"),
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
];

/// Starts the program once more in this process with what is not set yet, and leaves what somebody has set alone.
/// Returns where everything is settled, or where it can't be done: then more memory is taken.
pub(crate) fn ensure() {
    let unset = SETTINGS.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = unset.copied().collect();
    if missing.is_empty() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // Returns only when it fails.
    let error = again.args(arguments).envs(missing).exec();
    tracing::warn!("the window takes some 60 MB more than it needs: {error}");
}
