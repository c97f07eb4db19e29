//! One channel's task: it delivers, tries again, and gives up.

use std::sync::Arc;
use std::time::Duration;

use cachescope_model::telling::{Channel, ChannelKind};
use cachescope_model::time::Timestamp;
use cachescope_sources::context::SessionClock;
use cachescope_sources::error::{ErrorCode, SourceError};
use cachescope_sources::http::Webhook;
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::payload::{self, Message};
use crate::wire::ChannelView;

/// Messages that may wait for a channel. When it is full the newest is given up and counted: what it says is on the
/// screen, and the next one tells of what fires then.
const WAITING: usize = 32;

/// How often one message is tried. With pauses and deadlines a message takes a minute and a half at most.
const ATTEMPTS: u32 = 5;

/// The first pause; each further one is twice as long, and up to half of it longer at random, so that channels of
/// many desktops do not come back together.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A firing alert ends at an Alertmanager after this time unless it is sent again: four times the minute after
/// which it is, as Prometheus has it.
const FIRES_FOR_MILLIS: i64 = 240_000;

/// How the deliveries go.
#[derive(Clone, Debug, Default)]
struct Going {
    delivered_at: Option<Timestamp>,
    trouble: String,
    given_up: u64,
}

/// A channel that is fed. Its task ends when this is dropped.
pub(super) struct Running {
    pub(super) channel: Channel,
    webhook: Result<Webhook, SourceError>,
    has_token: bool,
    queue: mpsc::Sender<Message>,
    going: Arc<Mutex<Going>>,
    cancel: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Running {
    pub(super) fn start(
        channel: Channel,
        url: Option<SecretString>,
        token: Option<SecretString>,
        clock: SessionClock,
    ) -> Self {
        let token = token.filter(|token| !token.expose_secret().is_empty());
        let has_token = token.is_some();
        let path = (channel.kind == ChannelKind::Alertmanager).then_some("api/v2/alerts");
        let webhook = match url {
            Some(url) => Webhook::new(&url, token, path, None),
            None => Err(SourceError::new(
                ErrorCode::Auth,
                "the address of this channel is not in the keychain any more",
                "type it again",
            )),
        };
        let (queue, waiting) = mpsc::channel(WAITING);
        let going = Arc::new(Mutex::new(Going::default()));
        let cancel = CancellationToken::new();
        match &webhook {
            Ok(webhook) => {
                let delivering = Delivering {
                    kind: channel.kind,
                    webhook: webhook.clone(),
                    going: Arc::clone(&going),
                    clock,
                };
                let ended = cancel.clone();
                tokio::spawn(async move { ended.run_until_cancelled(delivering.run(waiting)).await });
            }
            Err(error) => going.lock().trouble = format!("{error}; {}", error.remedy()),
        }
        Self { channel, webhook, has_token, queue, going, cancel }
    }

    /// Leaves a message to the task.
    pub(super) fn offer(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            let mut going = self.going.lock();
            going.given_up += 1;
            if going.trouble.is_empty() {
                going.trouble =
                    format!("{} takes messages too slowly: some were given up", self.channel.shown);
            }
        }
    }

    /// Delivers once, now.
    pub(super) async fn deliver(&self, message: &Message) -> Result<(), SourceError> {
        let webhook = self.webhook.as_ref().map_err(Clone::clone)?;
        webhook.deliver(written(self.channel.kind, message)).await
    }

    pub(super) fn view(&self) -> ChannelView {
        let going = self.going.lock().clone();
        let waiting = if self.queue.is_closed() { 0 } else { WAITING - self.queue.capacity() };
        ChannelView {
            channel: self.channel.clone(),
            has_token: self.has_token,
            delivered_at: going.delivered_at,
            trouble: going.trouble,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            given_up: going.given_up,
        }
    }
}

fn written(kind: ChannelKind, message: &Message) -> String {
    let json = match kind {
        ChannelKind::Slack => payload::slack(message),
        ChannelKind::Webhook => payload::generic(message),
        ChannelKind::Alertmanager => payload::alertmanager(message, message.at.plus_millis(FIRES_FOR_MILLIS)),
    };
    json.to_string()
}

struct Delivering {
    kind: ChannelKind,
    webhook: Webhook,
    going: Arc<Mutex<Going>>,
    clock: SessionClock,
}

impl Delivering {
    async fn run(self, mut waiting: mpsc::Receiver<Message>) {
        while let Some(message) = waiting.recv().await {
            // What fires is sent to an Alertmanager again and again; an old message must not come after a new one.
            let attempts = if self.kind == ChannelKind::Alertmanager { 2 } else { ATTEMPTS };
            let delivered = self.try_to_deliver(written(self.kind, &message), attempts).await;
            let mut going = self.going.lock();
            match delivered {
                Ok(()) => {
                    going.delivered_at = Some(self.clock.now());
                    going.trouble.clear();
                }
                Err(error) => {
                    going.given_up += 1;
                    going.trouble = sentence(&error);
                }
            }
        }
    }

    async fn try_to_deliver(&self, json: String, attempts: u32) -> Result<(), SourceError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.webhook.deliver(json.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if attempt >= attempts || !may_pass(&error) {
                return Err(error);
            }
            // Said at once, not only when it is given up.
            self.going.lock().trouble = sentence(&error);
            tokio::time::sleep(pause.mul_f64(1.0 + rand::random::<f64>() / 2.0)).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

fn sentence(error: &SourceError) -> String {
    match error.remedy() {
        "" => error.to_string(),
        remedy => format!("{error}; {remedy}"),
    }
}

/// Whether trying again may help: not where the receiver has understood and says no.
fn may_pass(error: &SourceError) -> bool {
    !matches!(
        error.kind(),
        ErrorCode::BadUrl | ErrorCode::Auth | ErrorCode::Permission | ErrorCode::Tls | ErrorCode::TooLarge
    )
}
