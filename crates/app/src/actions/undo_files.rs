//! Where undo files lie, the key they are encrypted with, and how long they stay.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use cachescope_actions::undo::{MasterKey, UndoReader, WhereKept};
use cachescope_actions::{Failure, FailureKind};
use cachescope_model::deployment::DeploymentId;
use cachescope_store::{Secrets, SecretsState, Store, owner_only};
use secrecy::{ExposeSecret as _, SecretString};

use super::records::storage;
use crate::wire::UndoSettings;

/// Under which name the key stands in the keychain: a deployment's place that no deployment has.
const KEYCHAIN_OWNER: &str = "undo";
const KEYCHAIN_NAME: &str = "key";
const KEY_FILE: &str = "undo.key";
const SETTINGS: &str = "undo";

impl Default for UndoSettings {
    /// A week, 2 GB a run, 10 GB in all.
    fn default() -> Self {
        Self { keep_days: 7, most_bytes_of_a_run: 2 << 30, most_bytes: 10 << 30 }
    }
}

impl UndoSettings {
    /// Within what is sensible.
    fn bounded(self) -> Self {
        const MEGABYTE: u64 = 1 << 20;
        let most_bytes = self.most_bytes.clamp(MEGABYTE, 1_000_000 * MEGABYTE);
        Self {
            keep_days: self.keep_days.clamp(1, 90),
            most_bytes_of_a_run: self.most_bytes_of_a_run.clamp(MEGABYTE, most_bytes),
            most_bytes,
        }
    }
}

/// The undo files of a state directory.
pub(super) struct UndoFiles {
    pub(super) store: Store,
    pub(super) directory: PathBuf,
    /// `None` where only the key file may be used.
    pub(super) keychain: Option<Secrets>,
}

impl UndoFiles {
    pub(super) async fn settings(&self) -> UndoSettings {
        let kept = self.store.setting(SETTINGS).await.ok().flatten();
        kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    pub(super) async fn set_settings(&self, settings: UndoSettings) -> Result<UndoSettings, Failure> {
        let settings = settings.bounded();
        let text = serde_json::to_string(&settings).unwrap_or_default();
        self.store.set_setting(SETTINGS, &text).await.map_err(storage)?;
        Ok(settings)
    }

    pub(super) fn path(&self, run: &str) -> PathBuf {
        // A run's name is ours and made of hexadecimal digits; anything else has no file.
        let safe: String = run.chars().filter(char::is_ascii_alphanumeric).collect();
        self.directory.join("undo").join(format!("{safe}.undo"))
    }

    /// The directory, made where it is missing.
    pub(super) fn make_directory(&self) -> Result<(), Failure> {
        let path = self.directory.join("undo");
        owner_only::create_directory(&path).map_err(|error| {
            Failure::new(
                FailureKind::Storage,
                format!("{} can't be made: {error}", path.display()),
                "see that the state directory can be written (--state-dir)",
            )
        })
    }

    /// The key for new files: from the keychain where there is one, otherwise from a file.
    pub(super) async fn key(&self) -> Result<MasterKey, Failure> {
        if let Some(keychain) = &self.keychain
            && let Some(key) = of_keychain(keychain).await?
        {
            return Ok(key);
        }
        self.of_file()
    }

    /// The key that a file was written with.
    pub(super) async fn key_of(&self, run: &str) -> Result<MasterKey, Failure> {
        match UndoReader::key_of(&self.path(run)) {
            Some(WhereKept::File) => self.of_file(),
            Some(WhereKept::Keychain) => {
                // Also for a command, which otherwise leaves the keychain alone.
                let keychain = self.keychain.clone().unwrap_or_else(Secrets::keychain);
                of_keychain(&keychain).await?.ok_or_else(|| {
                    Failure::new(
                        FailureKind::Storage,
                        "the key of this undo file is in a keychain that can't be reached",
                        "unlock the keychain, and try again",
                    )
                })
            }
            None => Err(Failure::new(
                FailureKind::NotFound,
                format!("there is no undo file of run {run}"),
                "it was run without undo, or its file was removed at the end of its time",
            )),
        }
    }

    fn of_file(&self) -> Result<MasterKey, Failure> {
        let path = self.directory.join(KEY_FILE);
        let failed = |error: std::io::Error| {
            Failure::new(
                FailureKind::Storage,
                format!("the key of undo files in {} can't be used: {error}", path.display()),
                "see that you alone can read and write it",
            )
        };
        let mut file = owner_only::open_file(&path).map_err(failed)?;
        // Two programs that start at once make one key.
        file.lock().map_err(failed)?;
        let mut text = String::new();
        (&file).take(1_024).read_to_string(&mut text).map_err(failed)?;
        if text.is_empty() {
            let key = MasterKey::generate(WhereKept::File)?;
            file.write_all(key.to_hex().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            return Ok(key);
        }
        MasterKey::from_hex(&text, WhereKept::File)
            .ok_or_else(|| failed(std::io::Error::other("it holds no key")))
    }

    /// Removes files whose time is over, and the oldest where all together are too large. `keep` stays.
    pub(super) fn tidy(&self, settings: UndoSettings, keep: &[String]) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.directory.join("undo")) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "undo"))
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        let mut removed = Vec::new();
        for (modified, bytes, path) in files {
            let name = stem(&path);
            let old =
                modified.elapsed().is_ok_and(|age| age.as_secs() > u64::from(settings.keep_days) * 86_400);
            if keep.contains(&name) || !(old || total > settings.most_bytes) {
                continue;
            }
            match fs::remove_file(&path) {
                Ok(()) => {
                    total -= bytes;
                    removed.push(name);
                }
                Err(error) => tracing::warn!(%error, "an undo file could not be removed"),
            }
        }
        removed
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `None` where the keychain can't be used.
async fn of_keychain(keychain: &Secrets) -> Result<Option<MasterKey>, Failure> {
    if keychain.settled_state().await != SecretsState::Keychain {
        return Ok(None);
    }
    let owner = DeploymentId(KEYCHAIN_OWNER.to_owned());
    if let Some(kept) = keychain.get(&owner, KEYCHAIN_NAME).await {
        return MasterKey::from_hex(kept.expose_secret(), WhereKept::Keychain).map(Some).ok_or_else(|| {
            Failure::new(
                FailureKind::Storage,
                "the keychain's entry for undo files is no key",
                "remove it there",
            )
        });
    }
    if keychain.state() != SecretsState::Keychain {
        return Ok(None);
    }
    let key = MasterKey::generate(WhereKept::Keychain)?;
    let went = keychain.set(&owner, KEYCHAIN_NAME, SecretString::from(key.to_hex())).await;
    Ok((went == SecretsState::Keychain).then_some(key))
}
