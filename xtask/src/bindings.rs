//! `cargo xtask bindings`: the page's types, generated from the wire contract; and the check that they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run;
use crate::workspace::{debug_program, path, target};

const COMMITTED: &str = "ui/src/lib/bindings";

/// Writes the bindings, and removes those of types that are gone.
pub(crate) fn write() -> Result<()> {
    run::foreground(&mut run::cargo(&["build", "-p", "cachescope-app", "--example", "bindings"]))?;
    let fresh = generate()?;
    let folder = path(COMMITTED);
    fs::create_dir_all(&folder)?;
    for stale in files(&folder)?.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(stale))?;
    }
    for (name, contents) in &fresh {
        fs::write(folder.join(name), contents)?;
    }
    eprintln!("{COMMITTED}: {} types", fresh.len());
    Ok(())
}

/// Compares the committed bindings with fresh ones. Expects the example to be built.
pub(crate) fn check() -> Result<()> {
    let fresh = generate()?;
    let committed = files(&path(COMMITTED))?;
    let mut differing: Vec<&str> = Vec::new();
    for name in fresh.keys().chain(committed.keys()) {
        if fresh.get(name) != committed.get(name) && !differing.contains(&name.as_str()) {
            differing.push(name);
        }
    }
    if !differing.is_empty() {
        bail!(
            "{COMMITTED} is not what the wire contract says: {}. Run `cargo xtask bindings` and commit the result",
            differing.join(", ")
        );
    }
    eprintln!("{COMMITTED}: {} types, unchanged", fresh.len());
    Ok(())
}

fn generate() -> Result<BTreeMap<String, String>> {
    let folder = target().join("bindings");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    run::foreground(run::command(debug_program("examples/bindings")).arg(&folder))?;
    files(&folder)
}

fn files(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    for entry in entries {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "ts") {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert(name, fs::read_to_string(&file)?);
        }
    }
    Ok(found)
}
