//! Answers to what the page asks about alerts.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkSource};
use cachescope_model::telling::{Acknowledgement, AlertRef, DesktopTelling, QuietHours, Silence};
use cachescope_model::time::Timestamp;

use super::judging::Judged;
use super::people::LISTED_MILLIS;
use super::silencing::{Matched, covering, is_active};
use super::{timeline, views};
use crate::app::App;
use crate::wire::{
    AlertsPage, ChannelDraft, ChannelTest, ChannelView, ForeignAlerts, MarkDraft, Nothing, RulesPage,
    SilenceDraft, SilenceView, TellingView, TimelineEntry, WireError, WireErrorCode,
};

/// Characters of a comment.
const MOST_WORDS: usize = 1_000;
/// Matchers of one silence.
const MOST_MATCHERS: usize = 20;
/// A silence may last for a year.
const LONGEST_MILLIS: i64 = 366 * 86_400_000;

fn bad(sentence: impl Into<String>) -> WireError {
    WireError::new(WireErrorCode::BadInput, sentence)
}

impl App {
    pub(crate) fn alerts_page(
        &self,
        deployment: Option<&DeploymentId>,
        namespace: Option<&str>,
        at_most: Option<u32>,
    ) -> Result<AlertsPage, WireError> {
        let sessions = match deployment {
            Some(id) => vec![self.session(id)?],
            None => self.sessions(),
        };
        Ok(self.alerts().page(&sessions, namespace, at_most))
    }

    pub(crate) fn rules_page(&self, deployment: &DeploymentId) -> Result<RulesPage, WireError> {
        let session = self.session(deployment)?;
        let judged = self.alerts().of(deployment);
        Ok(views::rules_page(session.strategy(), judged.as_deref()))
    }

    pub(crate) fn foreign_alerts(&self, deployment: &DeploymentId) -> Result<ForeignAlerts, WireError> {
        self.session(deployment)?;
        let judged = self.alerts().of(deployment);
        Ok(judged.map(|judged| judged.standing.lock().foreign.clone()).unwrap_or_default())
    }

    pub(crate) async fn acknowledge(&self, alert: AlertRef, comment: String) -> Result<Nothing, WireError> {
        let comment = words(&comment, MOST_WORDS)?;
        let fired_at = self.alerts().of(&alert.deployment).and_then(|judged| judged.fired_at(&alert));
        let fired_at = fired_at.ok_or_else(|| {
            WireError::new(WireErrorCode::NotFound, "this alert does not fire any more")
                .with_remedy("nothing is left to acknowledge")
        })?;
        let at = self.alerts().clock.now();
        self.alerts().keep_acknowledgement(Acknowledgement { alert, fired_at, at, comment }).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn unacknowledge(&self, alert: AlertRef) -> Result<Nothing, WireError> {
        self.alerts().forget_acknowledgements(&[alert]).await?;
        Ok(Nothing {})
    }

    pub(crate) fn silences(&self) -> Vec<SilenceView> {
        let since = self.alerts().clock.now().plus_millis(-LISTED_MILLIS);
        let mut silences = self.alerts().silences();
        silences.retain(|silence| silence.ends_at > since);
        silences.sort_by_key(|silence| std::cmp::Reverse((silence.ends_at, silence.id)));
        silences.into_iter().map(|silence| self.silence_view(silence)).collect()
    }

    fn silence_view(&self, silence: Silence) -> SilenceView {
        let now = self.alerts().clock.now();
        let covers = |judged: &Judged| {
            let standing = judged.standing.lock();
            let mut covered = 0;
            for status in &standing.statuses {
                for alert in &status.alerts {
                    let alert_ref = views::reference(judged, alert);
                    let matched = Matched {
                        alert: &alert_ref,
                        deployment_name: &judged.name,
                        severity: status.severity,
                    };
                    covered += u32::from(covering(std::slice::from_ref(&silence), matched, now).is_some());
                }
            }
            covered
        };
        let covers = self.alerts().all().iter().map(|judged| covers(judged)).sum();
        SilenceView { active: is_active(&silence, now), covers, silence }
    }

    pub(crate) async fn save_silence(&self, draft: SilenceDraft) -> Result<SilenceView, WireError> {
        let now = self.alerts().clock.now();
        let silence = checked_silence(draft, now)?;
        if silence.id > 0 && !self.alerts().silences().iter().any(|known| known.id == silence.id) {
            return Err(WireError::new(WireErrorCode::NotFound, "this silence is not there any more")
                .with_remedy("make a new one"));
        }
        let silence = self.alerts().keep_silence(silence).await?;
        Ok(self.silence_view(silence))
    }

    pub(crate) async fn end_silence(&self, id: i64) -> Result<Nothing, WireError> {
        let now = self.alerts().clock.now();
        let known = self.alerts().silences().into_iter().find(|silence| silence.id == id);
        let known = known
            .ok_or_else(|| WireError::new(WireErrorCode::NotFound, "this silence is not there any more"))?;
        if known.ends_at > now {
            let starts_at = known.starts_at.min(now);
            self.alerts().keep_silence(Silence { starts_at, ends_at: now, ..known }).await?;
        }
        Ok(Nothing {})
    }

    pub(crate) fn telling(&self) -> TellingView {
        self.alerts().telling_view()
    }

    pub(crate) async fn set_desktop_telling(&self, desktop: DesktopTelling) -> Result<Nothing, WireError> {
        self.alerts().keep_desktop(desktop).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn set_quiet_hours(&self, hours: QuietHours) -> Result<Nothing, WireError> {
        self.alerts().keep_quiet_hours(hours).await?;
        Ok(Nothing {})
    }

    pub(crate) async fn save_channel(&self, draft: ChannelDraft) -> Result<ChannelView, WireError> {
        self.alerts().channels.save(draft).await
    }

    pub(crate) async fn remove_channel(&self, id: &str) -> Result<Nothing, WireError> {
        self.alerts().channels.remove(id).await
    }

    pub(crate) async fn test_channel(&self, id: &str) -> Result<ChannelTest, WireError> {
        self.alerts().channels.test(id).await
    }

    pub(crate) async fn timeline(
        &self,
        deployment: Option<DeploymentId>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<TimelineEntry>, WireError> {
        if let Some(id) = &deployment {
            self.session(id)?;
        }
        self.alerts().timeline(deployment, from, to).await
    }

    pub(crate) async fn add_mark(&self, draft: MarkDraft) -> Result<Mark, WireError> {
        if let Some(id) = &draft.deployment {
            self.session(id)?;
        }
        let mark = timeline::checked_mark(draft, MarkSource::Window, self.alerts().clock.now())?;
        self.alerts().add_mark(mark).await
    }

    pub(crate) async fn remove_mark(&self, id: i64) -> Result<Nothing, WireError> {
        self.alerts().remove_mark(id).await?;
        Ok(Nothing {})
    }
}

/// One line of words that may be kept.
pub(super) fn words(text: &str, most: usize) -> Result<String, WireError> {
    if text.chars().count() > most {
        return Err(bad(format!("that is longer than {most} characters")).with_remedy("say it shorter"));
    }
    Ok(text.trim().chars().map(|it| if it.is_control() { ' ' } else { it }).collect())
}

fn checked_silence(draft: SilenceDraft, now: Timestamp) -> Result<Silence, WireError> {
    let comment = words(&draft.comment, MOST_WORDS)?;
    if comment.is_empty() {
        return Err(bad("a silence needs a comment").with_remedy("say why, for the next one on call"));
    }
    if draft.matchers.is_empty() || draft.matchers.len() > MOST_MATCHERS {
        return Err(bad(format!("a silence has 1 to {MOST_MATCHERS} matchers"))
            .with_remedy("say which alerts it is about, such as rule is LowHitRate"));
    }
    for matcher in &draft.matchers {
        if matcher.label.trim().is_empty() || words(&matcher.value, MOST_WORDS)?.is_empty() {
            return Err(bad("a matcher needs a label and a value").with_remedy("write * for any value"));
        }
    }
    let starts_at = draft.starts_at.unwrap_or(now);
    let lasts = draft.ends_at.millis().saturating_sub(starts_at.millis());
    if lasts <= 0 || draft.ends_at <= now {
        return Err(bad("the end of this silence is not after its beginning and now")
            .with_remedy("choose a later end"));
    }
    if lasts > LONGEST_MILLIS {
        return Err(bad("a silence lasts for a year at most")
            .with_remedy("switch the rule off in the strategy instead"));
    }
    Ok(Silence {
        id: draft.id.unwrap_or(0).max(0),
        matchers: draft.matchers,
        starts_at,
        ends_at: draft.ends_at,
        comment,
    })
}

#[cfg(test)]
mod tests {
    use cachescope_model::telling::{Matcher, Matching};

    use super::*;

    #[test]
    fn a_silence_without_reason_without_end_or_about_nothing_is_refused_with_a_remedy() {
        let matcher = Matcher { label: "rule".to_owned(), matching: Matching::Is, value: "R".to_owned() };
        let good = SilenceDraft {
            id: None,
            matchers: vec![matcher.clone()],
            starts_at: None,
            ends_at: Timestamp(2_000),
            comment: " known,\nsee ticket ".to_owned(),
        };
        let now = Timestamp(1_000);
        let silence = checked_silence(good.clone(), now).expect("it is one");
        assert_eq!((silence.starts_at, silence.comment.as_str()), (now, "known, see ticket"));
        for (bad, why) in [
            (SilenceDraft { comment: " ".to_owned(), ..good.clone() }, "comment"),
            (SilenceDraft { matchers: Vec::new(), ..good.clone() }, "matchers"),
            (
                SilenceDraft { matchers: vec![Matcher { value: String::new(), ..matcher }], ..good.clone() },
                "value",
            ),
            (SilenceDraft { ends_at: now, ..good.clone() }, "end"),
            (SilenceDraft { starts_at: Some(Timestamp(3_000)), ..good.clone() }, "end"),
            (SilenceDraft { ends_at: Timestamp(i64::MAX), ..good.clone() }, "year"),
        ] {
            let error = checked_silence(bad, now).expect_err(why);
            assert!(error.message.contains(why), "{error}");
            assert!(!error.remedy.is_empty(), "{error}");
        }
    }
}
