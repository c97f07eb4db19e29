//! What many rows say in the same words is kept once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use cachescope_model::reading::Readings;
use cachescope_model::words::Words;

/// Different texts that are kept to be shared; beyond it a row keeps its own.
const MOST_TEXTS: usize = 4_096;

/// Texts of the rows that are filled already. They are made anew for each row ("3 round trips of our own …"), and
/// without this every row of thousands would keep its own copies until the next snapshot.
#[derive(Debug, Default)]
pub(crate) struct Repeated(RefCell<HashSet<Arc<str>>>);

impl Repeated {
    /// Has the sources and reasons of a row share their text with those of earlier rows.
    pub(super) fn share(&self, readings: &mut Readings) {
        let mut texts = self.0.borrow_mut();
        for reading in readings.values_mut() {
            for words in [Some(&mut reading.source), reading.reason.as_mut()].into_iter().flatten() {
                let Words::Shared(text) = words else { continue };
                match texts.get(text) {
                    Some(known) => *text = Arc::clone(known),
                    None if texts.len() < MOST_TEXTS => {
                        texts.insert(Arc::clone(text));
                    }
                    None => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cachescope_model::reading::Reading;
    use cachescope_model::reading_kind::ReadingKind as R;

    fn row(reason: &str) -> Readings {
        [(R::HitRate, Reading::unavailable(reason.to_owned()))].into_iter().collect()
    }

    fn text(readings: &Readings) -> &str {
        readings[&R::HitRate].reason.as_deref().expect("it has a reason")
    }

    #[test]
    fn rows_that_say_the_same_share_the_text_and_others_keep_theirs() {
        let repeated = Repeated::default();
        let mut rows = [row("no traffic yet"), row("too few reads"), row("no traffic yet")];
        for readings in &mut rows {
            repeated.share(readings);
        }
        assert_eq!(rows.each_ref().map(text), ["no traffic yet", "too few reads", "no traffic yet"]);
        assert!(std::ptr::eq(text(&rows[0]), text(&rows[2])));
    }

    #[test]
    fn beyond_its_bound_a_row_keeps_its_own_text() {
        let repeated = Repeated::default();
        for number in 0..MOST_TEXTS {
            repeated.share(&mut row(&format!("{number} reads")));
        }
        let mut rows = [row("one more"), row("one more")];
        for readings in &mut rows {
            repeated.share(readings);
        }
        assert_eq!(rows.each_ref().map(text), ["one more", "one more"]);
        assert_eq!(repeated.0.borrow().len(), MOST_TEXTS);
    }
}
