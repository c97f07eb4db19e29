//! Files of rules and series, read within bounds.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::wire::{WireError, WireErrorCode};

/// Reads a text file off the runtime's threads. A pipe or a device is refused before it is opened.
///
/// # Errors
/// When it is no file, larger than rule files are read, or not UTF-8.
pub async fn read(path: PathBuf) -> Result<String, WireError> {
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || read_now(&path)).await;
    match read {
        Ok(read) => read.map_err(|why| WireError::new(WireErrorCode::BadInput, format!("{shown}: {why}"))),
        Err(error) => {
            Err(WireError::new(WireErrorCode::BadInput, format!("reading {shown} was broken off: {error}")))
        }
    }
}

fn read_now(path: &Path) -> Result<String, String> {
    let most = cachescope_rules::MAX_BYTES as u64;
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("it has {} MB; files up to {} MB are read", about.len() >> 20, most >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text; save the file as UTF-8")
    })
}
