//! Telling people: what began is collected, what share a cause is told once, and who wants to be left alone is.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cachescope_model::alert::{Alert, AlertState, RuleStatus, Transition};
use cachescope_model::strategy::Severity;
use cachescope_model::telling::AlertRef;
use cachescope_model::time::Timestamp;
use tokio::sync::mpsc;

use super::channels::Message;
use super::grouping::{Group, Grouping};
use super::judging::{self, Judged};
use super::notice::{self, Standing, Told};
use super::silencing::{Matched, covering};
use super::{Alerts, views};
use crate::host::Host;
use crate::wire::{AlertTurn, TellingView};

/// Turns that may wait to be told. When it is full the newest is left out and logged: it is on the screen, and the
/// tray counts it.
const WAITING: usize = 4_096;

/// How often firing alerts are sent to Alertmanagers again.
const RESENT_MILLIS: i64 = 60_000;

/// How long the desktop may take to show a notification.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(10);

/// Alerts that wait for the end of quiet hours.
const MOST_HELD: usize = 500;

/// Something to be told.
pub(super) struct News {
    at: Timestamp,
    alert: AlertRef,
    severity: Severity,
    turn: AlertTurn,
}

pub(super) fn channel() -> (mpsc::Sender<News>, mpsc::Receiver<News>) {
    mpsc::channel(WAITING)
}

impl Alerts {
    /// An evaluation has changed alerts.
    pub(super) fn heard(&self, judged: &Judged, transitions: &[Transition]) {
        let news = |transition: &Transition| {
            let turn = judging::turn(transition)
                .filter(|turn| matches!(turn, AlertTurn::Firing | AlertTurn::Resolved))?;
            let rule = judged.rules.iter().find(|rule| rule.name == transition.alert.rule)?;
            let alert = views::reference(judged, &transition.alert);
            Some(News { at: transition.at, alert, severity: rule.severity, turn })
        };
        let mut all: Vec<News> = transitions.iter().filter_map(news).collect();
        // In a flood the worst are told, whatever else is left out.
        all.sort_by_key(|news| std::cmp::Reverse(news.severity));
        for news in all {
            if self.news.try_send(news).is_err() {
                tracing::warn!("more alerts than can be told: some are on the screen only");
            }
        }
    }

    pub(super) fn telling_view(&self) -> TellingView {
        let quiet_now = self.quiet_now();
        let (desktop, quiet_hours) = {
            let people = self.people.lock();
            (people.desktop, people.quiet_hours.clone())
        };
        TellingView {
            desktop,
            desktop_trouble: self.desktop_trouble.lock().clone(),
            quiet_hours,
            quiet_now,
            group_seconds: u32::try_from(self.pace.group_for.as_secs()).unwrap_or(u32::MAX),
            channels: self.channels.views(),
        }
    }

    /// An alert as it is told; `None` where it is not in this state any more.
    fn told(&self, alert_ref: &AlertRef, state: AlertState) -> Option<Told> {
        let judged = self.of(&alert_ref.deployment)?;
        let standing = judged.standing.lock();
        let status = standing.statuses.iter().find(|status| status.rule == alert_ref.rule)?;
        let alert = status.alerts.iter().find(|it| it.labels == alert_ref.labels && it.state == state)?;
        let triage = standing.triage.iter().find(|(of, _)| of == alert_ref).map(|(_, triage)| triage);
        let rule = judged.rules.iter().find(|rule| rule.name == alert_ref.rule)?;
        Some(Told {
            alert: alert_ref.clone(),
            deployment_name: judged.name.clone(),
            severity: status.severity,
            summary: rule.summary.clone(),
            subject: views::subject(&judged.strategy, alert),
            sentence: triage.map(|triage| triage.sentence.clone()).unwrap_or_default(),
            action: rule.action.clone(),
            value: alert.value.filter(|value| value.is_finite()),
            threshold: rule.threshold.map(|threshold| threshold.value),
            since: alert.active_at,
            fired_at: alert.fired_at,
            resolved_at: alert.resolved_at,
        })
    }

    /// The alerts of a group that are still in this state and that nobody wants to be silent about.
    fn loud(&self, alerts: &[AlertRef], state: AlertState) -> Vec<Told> {
        let told: Vec<Told> = alerts.iter().filter_map(|alert| self.told(alert, state)).collect();
        let people = self.people.lock();
        let now = self.clock.now();
        let is_loud = |told: &Told| {
            let matched = Matched {
                alert: &told.alert,
                deployment_name: &told.deployment_name,
                severity: told.severity,
            };
            let firing = state == AlertState::Firing;
            covering(&people.silences, matched, now).is_none()
                && !(firing && people.acknowledgement(&told.alert, told.fired_at).is_some())
        };
        told.into_iter().filter(is_loud).collect()
    }

    /// How everything stands.
    pub(crate) fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for judged in self.all() {
            let counts = self.counts_of(&judged);
            standing.firing += counts.critical + counts.warning + counts.info;
            standing.pending += counts.pending;
            let worst = match (counts.critical, counts.warning, counts.info) {
                (0, 0, 0) => None,
                (0, 0, _) => Some(Severity::Info),
                (0, ..) => Some(Severity::Warning),
                _ => Some(Severity::Critical),
            };
            standing.worst = standing.worst.max(worst);
        }
        standing
    }

    fn all_firing(&self) -> Vec<AlertRef> {
        let mut firing = Vec::new();
        for judged in self.all() {
            let standing = judged.standing.lock();
            let of = |status: &RuleStatus| {
                let fires = |alert: &&Alert| alert.state == AlertState::Firing;
                let alerts = status.alerts.iter().filter(fires);
                alerts.map(|alert| views::reference(&judged, alert)).collect::<Vec<_>>()
            };
            firing.extend(standing.statuses.iter().flat_map(of));
        }
        firing
    }
}

/// Tells until the app ends.
pub(super) async fn run(alerts: Weak<Alerts>, host: Arc<dyn Host>, mut news: mpsc::Receiver<News>) {
    let Some(pace) = alerts.upgrade().map(|alerts| alerts.pace) else { return };
    let mut teller = Teller {
        firing: Grouping::new(pace),
        resolved: Grouping::new(pace),
        held: Vec::new(),
        shown: None,
        resent_at: Timestamp::default(),
    };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            heard = news.recv() => match heard {
                Some(heard) => teller.hear(heard),
                None => return,
            },
            _ = second.tick() => match alerts.upgrade() {
                Some(alerts) => teller.tell(&alerts, &*host),
                None => return,
            },
        }
    }
}

struct Teller {
    firing: Grouping,
    resolved: Grouping,
    /// What began in quiet hours.
    held: Vec<AlertRef>,
    shown: Option<Standing>,
    resent_at: Timestamp,
}

impl Teller {
    fn hear(&mut self, news: News) {
        match news.turn {
            AlertTurn::Firing => self.firing.add(news.at, news.severity, news.alert),
            _ => self.resolved.add(news.at, news.severity, news.alert),
        }
    }

    fn tell(&mut self, alerts: &Alerts, host: &dyn Host) {
        let now = alerts.clock.now();
        for group in self.firing.due(now) {
            let told = alerts.loud(&group.alerts, AlertState::Firing);
            offer(alerts, false, now, &told, group.more);
            self.notify(alerts, host, group, told);
        }
        for group in self.resolved.due(now) {
            let told = alerts.loud(&group.alerts, AlertState::Resolved);
            offer(alerts, true, now, &told, group.more);
        }
        self.tell_what_was_held(alerts, host);
        self.resend(alerts, now);
        let standing = alerts.standing();
        if self.shown != Some(standing) {
            self.shown = Some(standing);
            host.show_standing(standing);
        }
    }

    /// An Alertmanager takes silence for an end.
    fn resend(&mut self, alerts: &Alerts, now: Timestamp) {
        if now.millis() - self.resent_at.millis() < RESENT_MILLIS || !alerts.channels.has_alertmanagers() {
            return;
        }
        self.resent_at = now;
        let told = alerts.loud(&alerts.all_firing(), AlertState::Firing);
        if !told.is_empty() {
            let message = Message { resolved: false, at: now, alerts: told, more: 0 };
            alerts.channels.offer_to_alertmanagers(&message);
        }
    }

    fn notify(&mut self, alerts: &Alerts, host: &dyn Host, group: Group, told: Vec<Told>) {
        let (desktop, except) = {
            let people = alerts.people.lock();
            (people.desktop, people.quiet_hours.except_critical)
        };
        if !desktop.notifications {
            return;
        }
        let wanted: Vec<Told> = told.into_iter().filter(|told| told.severity >= desktop.least).collect();
        let critical = wanted.iter().any(|told| told.severity == Severity::Critical);
        if alerts.quiet_now() && !(critical && except) {
            self.held.extend(wanted.into_iter().map(|told| told.alert));
            self.held.truncate(MOST_HELD);
            return;
        }
        show(alerts, host, &wanted, group.more, desktop.sound);
    }

    /// Quiet hours are over: one notification for what began in them and still fires.
    fn tell_what_was_held(&mut self, alerts: &Alerts, host: &dyn Host) {
        if self.held.is_empty() || alerts.quiet_now() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let still = alerts.loud(&held, AlertState::Firing);
        let sound = alerts.people.lock().desktop.sound;
        show(alerts, host, &still, 0, sound);
    }
}

fn offer(alerts: &Alerts, resolved: bool, at: Timestamp, told: &[Told], more: usize) {
    if told.is_empty() {
        return;
    }
    let message = Message { resolved, at, alerts: told.to_vec(), more };
    alerts.channels.offer(&message);
    alerts.channels.offer_to_alertmanagers(&message);
}

fn show(alerts: &Alerts, host: &dyn Host, told: &[Told], more: usize, sound: bool) {
    let Some(notice) = notice::of(told, more, sound) else { return };
    let (told, trouble) = (host.notify(notice), Arc::clone(&alerts.desktop_trouble));
    tokio::spawn(async move {
        let told = tokio::time::timeout(NOTIFIED_WITHIN, told).await;
        let told = told.unwrap_or_else(|_| Err("the desktop does not answer".to_owned()));
        *trouble.lock() = told.err().unwrap_or_default();
    });
}
