//! What people said: silences, acknowledgements, when to be quiet, and how the desktop tells.

use cachescope_model::marks::Mark;
use cachescope_model::telling::{Acknowledgement, AlertRef, DesktopTelling, QuietHours, Silence};
use cachescope_model::time::Timestamp;
use cachescope_store::{Store, StoreError};
use serde::de::DeserializeOwned;

use super::Alerts;
use super::quiet::{self, LocalMoment};
use crate::wire::{WireError, WireErrorCode};

/// Settings under which quiet hours and the desktop's ways are kept.
const QUIET_HOURS: &str = "alerts.quiet_hours";
const DESKTOP: &str = "alerts.desktop";

/// Silences that ended longer ago are no longer listed.
pub(super) const LISTED_MILLIS: i64 = 86_400_000;

/// Silences and acknowledgements that are held; nobody has as many.
const MOST: usize = 1_000;

/// In memory, so that judging never waits for the disk.
#[derive(Default)]
pub(crate) struct People {
    pub(super) silences: Vec<Silence>,
    pub(super) acknowledged: Vec<Acknowledgement>,
    pub(super) quiet_hours: QuietHours,
    pub(super) desktop: DesktopTelling,
    /// Marks, where there is no store for them.
    pub(super) marks: Vec<Mark>,
}

impl People {
    /// The acknowledgement of this firing.
    pub(super) fn acknowledgement(
        &self,
        alert: &AlertRef,
        fired_at: Option<Timestamp>,
    ) -> Option<&Acknowledgement> {
        let fits = |said: &&Acknowledgement| said.alert == *alert && Some(said.fired_at) == fired_at;
        self.acknowledged.iter().find(fits)
    }
}

impl Alerts {
    /// Reads what people said before this program was started.
    pub(crate) async fn load_people(&self) {
        let Some(store) = &self.store else { return };
        match self.read_people(store).await {
            Ok(people) => *self.people.lock() = people,
            Err(error) => tracing::error!(%error, "silences and acknowledgements can't be read"),
        }
    }

    async fn read_people(&self, store: &Store) -> Result<People, StoreError> {
        let since = self.clock.now().plus_millis(-LISTED_MILLIS);
        Ok(People {
            silences: store.silences(since).await?,
            acknowledged: store.acknowledgements().await?,
            quiet_hours: setting(store, QUIET_HOURS).await?,
            desktop: setting(store, DESKTOP).await?,
            marks: Vec::new(),
        })
    }

    /// Keeps a silence.
    pub(super) async fn keep_silence(&self, silence: Silence) -> Result<Silence, WireError> {
        let now = self.clock.now();
        let silence = match &self.store {
            Some(store) => store.save_silence(silence, now).await?,
            None => {
                let highest = self.people.lock().silences.iter().map(|known| known.id).max().unwrap_or(0);
                let id = if silence.id > 0 { silence.id } else { highest + 1 };
                Silence { id, ..silence }
            }
        };
        let mut people = self.people.lock();
        people
            .silences
            .retain(|known| known.id != silence.id && known.ends_at > now.plus_millis(-LISTED_MILLIS));
        if people.silences.len() >= MOST {
            return Err(WireError::new(
                WireErrorCode::BadInput,
                format!("there are {MOST} silences already"),
            )
            .with_remedy("end some of them, or use one matcher with * for many alerts"));
        }
        people.silences.push(silence.clone());
        Ok(silence)
    }

    /// Keeps an acknowledgement.
    pub(super) async fn keep_acknowledgement(&self, said: Acknowledgement) -> Result<(), WireError> {
        if let Some(store) = &self.store {
            store.acknowledge(said.clone()).await?;
        }
        let mut people = self.people.lock();
        people.acknowledged.retain(|known| known.alert != said.alert);
        if people.acknowledged.len() < MOST {
            people.acknowledged.push(said);
        }
        Ok(())
    }

    /// Forgets acknowledgements: taken back, or of alerts that are over.
    pub(crate) async fn forget_acknowledgements(&self, alerts: &[AlertRef]) -> Result<(), StoreError> {
        let known = {
            let mut people = self.people.lock();
            let before = people.acknowledged.len();
            people.acknowledged.retain(|said| !alerts.contains(&said.alert));
            people.acknowledged.len() < before
        };
        match &self.store {
            Some(store) if known => store.forget_acknowledgements(alerts).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn keep_quiet_hours(&self, hours: QuietHours) -> Result<(), WireError> {
        if let Some(problem) = quiet::problem(&hours) {
            return Err(WireError::new(WireErrorCode::BadInput, problem));
        }
        self.keep_setting(QUIET_HOURS, &hours).await?;
        self.people.lock().quiet_hours = hours;
        Ok(())
    }

    pub(super) async fn keep_desktop(&self, desktop: DesktopTelling) -> Result<(), WireError> {
        self.keep_setting(DESKTOP, &desktop).await?;
        self.people.lock().desktop = desktop;
        Ok(())
    }

    async fn keep_setting(&self, key: &str, value: &impl serde::Serialize) -> Result<(), WireError> {
        let Some(store) = &self.store else { return Ok(()) };
        let text = serde_json::to_string(value)
            .map_err(|error| WireError::new(WireErrorCode::Internal, error.to_string()))?;
        Ok(store.set_setting(key, &text).await?)
    }

    /// Whether notifications wait at the moment.
    pub(super) fn quiet_now(&self) -> bool {
        quiet::holds(&self.people.lock().quiet_hours, LocalMoment::of(self.clock.now()))
    }
}

/// A setting that does not read back counts as not set: it is a matter of taste, never of safety.
async fn setting<T: DeserializeOwned + Default>(store: &Store, key: &str) -> Result<T, StoreError> {
    let text = store.setting(key).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
