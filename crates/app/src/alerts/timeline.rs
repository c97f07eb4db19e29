//! Alerts, marks and gaps in the order in which they were.

use cachescope_model::deployment::DeploymentId;
use cachescope_model::marks::{Mark, MarkSource};
use cachescope_model::time::Timestamp;
use cachescope_model::visible::visible;

use super::Alerts;
use crate::wire::{MarkDraft, TimelineEntry, TimelineWhat, WireError, WireErrorCode};

/// Entries of one answer.
const MOST: u32 = 1_000;
/// Characters of a mark's words.
const MOST_WORDS: usize = 200;

/// A typed mark, checked.
///
/// # Errors
/// Why it can't be set.
pub fn checked_mark(draft: MarkDraft, source: MarkSource, now: Timestamp) -> Result<Mark, WireError> {
    let bad = |sentence: &str| WireError::new(WireErrorCode::BadInput, sentence);
    let text = draft.text.trim();
    if text.is_empty() {
        return Err(bad("a mark needs words").with_remedy("name what was done, such as a version"));
    }
    if text.chars().count() > MOST_WORDS {
        return Err(bad("a mark has 200 characters at most"));
    }
    let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let text = visible(&text).into_owned();
    let at = draft.at.unwrap_or(now);
    Ok(Mark { id: 0, deployment: draft.deployment, at, kind: draft.kind, text, source })
}

impl Alerts {
    /// Everything of a span of time, the latest first.
    pub(super) async fn timeline(
        &self,
        deployment: Option<DeploymentId>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<TimelineEntry>, WireError> {
        let mut entries = match &self.store {
            Some(store) => store.alert_turns(deployment.clone(), from, to, MOST).await?,
            None => self.remembered(deployment.as_ref(), from, to),
        };
        let marks = self.marks(deployment, from, to).await?;
        entries.extend(marks.into_iter().map(|mark| TimelineEntry {
            at: mark.at,
            deployment: mark.deployment.clone(),
            what: TimelineWhat::Mark { mark },
        }));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(MOST as usize);
        Ok(entries)
    }

    fn remembered(
        &self,
        deployment: Option<&DeploymentId>,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<TimelineEntry> {
        let mut entries = Vec::new();
        for judged in self.all() {
            if deployment.is_none_or(|wanted| *wanted == judged.deployment) {
                let standing = judged.standing.lock();
                let within = standing.turns.iter().filter(|entry| from <= entry.at && entry.at <= to);
                entries.extend(within.cloned());
            }
        }
        entries
    }

    /// Marks of a deployment within a span of time: those that people and scripts set, which are kept, and those
    /// that were observed.
    pub(crate) async fn marks(
        &self,
        deployment: Option<DeploymentId>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Mark>, WireError> {
        match &self.store {
            Some(store) => Ok(store.marks(deployment, from, to, MOST).await?),
            None => Ok(self
                .people
                .lock()
                .marks
                .iter()
                .filter(|mark| {
                    let of_it = match (&deployment, &mark.deployment) {
                        (Some(wanted), Some(of)) => wanted == of,
                        _ => true,
                    };
                    of_it && from <= mark.at && mark.at <= to
                })
                .cloned()
                .collect()),
        }
    }

    /// Keeps a mark.
    pub(crate) async fn add_mark(&self, mark: Mark) -> Result<Mark, WireError> {
        if let Some(store) = &self.store {
            return Ok(store.add_mark(mark).await?);
        }
        let mut people = self.people.lock();
        let id = people.marks.iter().map(|known| known.id).max().unwrap_or(0) + 1;
        let mark = Mark { id, ..mark };
        if people.marks.len() >= MOST as usize {
            people.marks.remove(0);
        }
        people.marks.push(mark.clone());
        Ok(mark)
    }

    pub(super) async fn remove_mark(&self, id: i64) -> Result<(), WireError> {
        let removed = match &self.store {
            Some(store) => store.remove_mark(id).await?,
            None => {
                let mut people = self.people.lock();
                let before = people.marks.len();
                people.marks.retain(|mark| mark.id != id);
                people.marks.len() < before
            }
        };
        if removed {
            Ok(())
        } else {
            Err(WireError::new(WireErrorCode::NotFound, "this mark is not there any more"))
        }
    }
}
