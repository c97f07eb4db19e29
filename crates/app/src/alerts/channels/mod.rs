//! Webhooks and Alertmanagers: kept, configured, and fed.
//!
//! Each channel has a task and a bounded queue of its own, so that one that hangs delays neither the judging nor the
//! others. Address and token are in the keychain; what is shown of an address is its host. A token goes to the host it
//! was given for and to no other.

mod delivery;
mod payload;

use std::sync::Arc;

use cachescope_actions::request::origin_of;
use cachescope_model::deployment::DeploymentId;
use cachescope_model::strategy::Severity;
use cachescope_model::telling::{Channel, ChannelKind};
use cachescope_sources::context::SessionClock;
use cachescope_sources::http::Webhook;
use cachescope_store::{Secrets, Store};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};

use self::delivery::Running;
pub(crate) use self::payload::Message;
use super::notice::Told;
use crate::secrets::bound;
use crate::wire::{ChannelDraft, ChannelTest, ChannelView, Nothing, WireError, WireErrorCode};

/// Channels that may be kept.
const MOST: usize = 20;
/// Characters of a name.
const MOST_NAME: usize = 100;

const URL: &str = "url";

/// The name of the token for this address.
fn token_at(url: &SecretString) -> Option<String> {
    Some(bound("token", &[&origin_of(url.expose_secret())?]))
}

/// A channel's secrets stand under a name of their own beside those of deployments.
fn owner(id: &str) -> DeploymentId {
    DeploymentId(format!("channel-{id}"))
}

/// Every channel.
pub(crate) struct Channels {
    store: Option<Store>,
    secrets: Secrets,
    clock: SessionClock,
    running: Mutex<Vec<Arc<Running>>>,
}

impl Channels {
    pub(super) fn new(store: Option<Store>, secrets: Secrets, clock: SessionClock) -> Self {
        Self { store, secrets, clock, running: Mutex::default() }
    }

    /// Begins what is kept.
    pub(super) async fn load(&self) {
        let Some(store) = &self.store else { return };
        match store.channels().await {
            Ok(channels) => {
                for channel in channels {
                    self.begin(channel).await;
                }
            }
            Err(error) => tracing::error!(%error, "channels can't be read: nobody is told by them"),
        }
    }

    /// Starts a channel in place of the one of its identity.
    async fn begin(&self, channel: Channel) -> Arc<Running> {
        let url = self.secrets.get(&owner(&channel.id), URL).await;
        let token = match url.as_ref().and_then(token_at) {
            Some(name) => self.secrets.get(&owner(&channel.id), &name).await,
            None => None,
        };
        let running = Arc::new(Running::start(channel, url, token, self.clock));
        let mut all = self.running.lock();
        match all.iter_mut().find(|known| known.channel.id == running.channel.id) {
            Some(known) => *known = Arc::clone(&running),
            None => all.push(Arc::clone(&running)),
        }
        running
    }

    pub(super) fn views(&self) -> Vec<ChannelView> {
        self.running.lock().iter().map(|running| running.view()).collect()
    }

    /// Hands a message to every channel that wants it.
    pub(super) fn offer(&self, message: &Message) {
        for running in self.running.lock().iter() {
            let channel = &running.channel;
            if channel.on
                && channel.kind != ChannelKind::Alertmanager
                && (channel.resolved || !message.resolved)
                && let Some(wanted) = at_least(message, channel.least)
            {
                running.offer(wanted);
            }
        }
    }

    /// Hands what fires, or has just ended, to the Alertmanagers.
    pub(super) fn offer_to_alertmanagers(&self, message: &Message) {
        for running in self.running.lock().iter() {
            let channel = &running.channel;
            if channel.on
                && channel.kind == ChannelKind::Alertmanager
                && let Some(wanted) = at_least(message, channel.least)
            {
                running.offer(wanted);
            }
        }
    }

    pub(super) fn has_alertmanagers(&self) -> bool {
        let on =
            |running: &Arc<Running>| running.channel.on && running.channel.kind == ChannelKind::Alertmanager;
        self.running.lock().iter().any(on)
    }

    fn find(&self, id: &str) -> Result<Arc<Running>, WireError> {
        let found = self.running.lock().iter().find(|running| running.channel.id == id).cloned();
        found.ok_or_else(|| WireError::new(WireErrorCode::NotFound, "this channel is not there any more"))
    }

    /// Keeps a typed channel: its secrets first, so that it never runs without them.
    pub(super) async fn save(&self, draft: ChannelDraft) -> Result<ChannelView, WireError> {
        let name = super::requests::words(&draft.name, MOST_NAME)?;
        let known = match &draft.id {
            Some(id) => Some(self.find(id)?),
            None if self.running.lock().len() >= MOST => {
                return Err(WireError::new(
                    WireErrorCode::BadInput,
                    format!("there are {MOST} channels already"),
                )
                .with_remedy("remove one that is no longer used"));
            }
            None => None,
        };
        let typed = draft.url.map(SecretString::from);
        let shown = match (&typed, &known) {
            (Some(url), _) => Webhook::shown(url)?,
            (None, Some(known)) => known.channel.shown.clone(),
            (None, None) => {
                return Err(WireError::new(WireErrorCode::BadInput, "a channel needs an address")
                    .with_remedy("paste it whole, as https://host/path"));
            }
        };
        let id = draft.id.unwrap_or_else(|| Store::new_deployment_id().0);
        let channel = Channel {
            name: if name.is_empty() { shown.clone() } else { name },
            kind: draft.kind,
            on: draft.on,
            least: draft.least,
            resolved: draft.resolved,
            shown,
            id,
        };
        if let Some(store) = &self.store {
            store.save_channel(&channel).await?;
        }
        let owner = owner(&channel.id);
        let url = match typed {
            Some(url) => {
                self.secrets.set(&owner, URL, url.clone()).await;
                Some(url)
            }
            None => self.secrets.get(&owner, URL).await,
        };
        if let (Some(token), Some(name)) = (draft.token, url.as_ref().and_then(token_at)) {
            self.secrets.set(&owner, &name, SecretString::from(token)).await;
        }
        Ok(self.begin(channel).await.view())
    }

    pub(super) async fn remove(&self, id: &str) -> Result<Nothing, WireError> {
        self.find(id)?;
        if let Some(store) = &self.store {
            store.remove_channel(id).await?;
        }
        self.secrets.remove(&owner(id)).await;
        self.running.lock().retain(|running| running.channel.id != id);
        Ok(Nothing {})
    }

    /// Sends one message and waits for what becomes of it.
    pub(super) async fn test(&self, id: &str) -> Result<ChannelTest, WireError> {
        let running = self.find(id)?;
        let shown = &running.channel.shown;
        Ok(match running.deliver(&test_message(self.clock)).await {
            Ok(()) => ChannelTest { delivered: true, sentence: format!("{shown} took the test message.") },
            Err(error) => {
                let remedy = error.remedy();
                let remedy = if remedy.is_empty() { String::new() } else { format!("; {remedy}") };
                ChannelTest { delivered: false, sentence: format!("{error}{remedy}.") }
            }
        })
    }
}

/// The alerts of a message that are severe enough; `None` where none is.
fn at_least(message: &Message, least: Severity) -> Option<Message> {
    let mut wanted = message.clone();
    wanted.alerts.retain(|told| told.severity >= least);
    (!wanted.alerts.is_empty()).then_some(wanted)
}

fn test_message(clock: SessionClock) -> Message {
    let at = clock.now();
    let told = Told {
        alert: cachescope_model::telling::AlertRef {
            deployment: DeploymentId("test".to_owned()),
            rule: "CachescopeTest".to_owned(),
            labels: Default::default(),
        },
        deployment_name: "Cachescope".to_owned(),
        severity: Severity::Info,
        summary: "This is a test: nothing is wrong".to_owned(),
        subject: String::new(),
        sentence: "Somebody pressed the button to see whether messages arrive.".to_owned(),
        action: String::new(),
        value: None,
        threshold: None,
        since: at,
        fired_at: Some(at),
        resolved_at: Some(at),
    };
    // As one that is over, so that an Alertmanager wakes nobody.
    Message { resolved: true, at, alerts: vec![told], more: 0 }
}
