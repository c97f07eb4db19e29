//! From a name or a path to a strategy.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use cachescope_model::strategy::Strategy;

use crate::built_in::{BUILT_IN, built_in};
use crate::document::{Checked, check, parse};
use crate::problem::{Problem, Severity, StrategyError, nearest};

/// The largest strategy file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads a strategy file.
///
/// # Errors
/// When the file can't be read, is no file, is larger than [`MAX_FILE_BYTES`], is not UTF-8, or says something
/// that doesn't hold.
pub fn load(path: &Path) -> Result<Strategy, StrategyError> {
    let text = read(path)?;
    parse(&path.display().to_string(), &text)
}

/// Finds a strategy by the name of a built-in one or the path of a file; built-in names win.
///
/// # Errors
/// Those of [`load`], and where there is neither a built-in strategy nor a file of this name.
pub fn resolve(name_or_path: &str) -> Result<Strategy, StrategyError> {
    if let Some(strategy) = built_in(name_or_path) {
        return Ok(strategy);
    }
    load(Path::new(name_or_path)).map_err(|error| named(name_or_path, error))
}

/// A missing file may be a misspelt built-in name: says so.
fn named(name_or_path: &str, error: StrategyError) -> StrategyError {
    match error {
        StrategyError::Unreadable { reason, .. } if reason.kind() == io::ErrorKind::NotFound => {
            let names = || BUILT_IN.iter().map(|strategy| strategy.name);
            let advice = match nearest(name_or_path, names()) {
                Some(meant) => format!("no file has this name; write {meant}"),
                None => format!(
                    "no file has this name; write its path, or one of {}",
                    names().collect::<Vec<_>>().join(", ")
                ),
            };
            StrategyError::Unknown { name: name_or_path.to_owned(), advice }
        }
        other => other,
    }
}

/// Reads a strategy by the name of a built-in one or the path of a file, and says everything that is wrong or
/// doubtful.
///
/// # Errors
/// When there is nothing to read, as with [`resolve`]; what the text says wrong is in the answer.
pub fn inspect(name_or_path: &str) -> Result<Checked, StrategyError> {
    if let Some(found) = BUILT_IN.iter().find(|strategy| strategy.name == name_or_path) {
        return Ok(check(found.file, found.text));
    }
    match read(Path::new(name_or_path)) {
        Ok(text) => Ok(check(name_or_path, &text)),
        Err(error) => Err(named(name_or_path, error)),
    }
}

/// The text of a file, within the bound. A pipe or device is refused before it is opened, so that none can
/// hang the reader.
///
/// # Errors
/// Those of [`load`], without what the text says.
pub fn read(path: &Path) -> Result<String, StrategyError> {
    let unreadable = |reason| StrategyError::Unreadable { path: path.to_owned(), reason };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(StrategyError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(StrategyError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let problem = Problem {
            file: path.display().to_string(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            severity: Severity::Error,
            place: String::new(),
            message: "the line is not UTF-8 text; save the file as UTF-8".to_owned(),
        };
        StrategyError::Invalid { problems: vec![problem] }
    })
}
