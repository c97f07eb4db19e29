//! What many rows say in the same words is kept once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use cachescope_model::reading::Reading;
use cachescope_model::row_readings::Told;

/// Different words that are kept to be shared; beyond it a row keeps its own.
const MOST_TOLD: usize = 4_096;

/// What the rows that are filled already say. Words are made anew for each row ("3 round trips of our own …"), and
/// without this every row of thousands would keep its own copies until the next snapshot.
#[derive(Debug, Default)]
pub(crate) struct Repeated(RefCell<HashSet<Arc<Told>>>);

impl Repeated {
    /// What a reading says, shared with earlier rows that say the same.
    pub(super) fn told(&self, reading: &Reading) -> Arc<Told> {
        let mut known = self.0.borrow_mut();
        let told = Told::of(reading);
        if let Some(known) = known.get(&told) {
            return Arc::clone(known);
        }
        let told = Arc::new(told);
        if known.len() < MOST_TOLD {
            known.insert(Arc::clone(&told));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(repeated: &Repeated, reason: &str) -> Arc<Told> {
        repeated.told(&Reading::unavailable(reason.to_owned()))
    }

    #[test]
    fn rows_that_say_the_same_share_the_words_and_others_have_their_own() {
        let repeated = Repeated::default();
        let [one, other, again] =
            ["no traffic yet", "too few reads", "no traffic yet"].map(|it| told(&repeated, it));
        assert_eq!(one.reason.as_deref(), Some("no traffic yet"));
        assert_eq!(other.reason.as_deref(), Some("too few reads"));
        assert!(Arc::ptr_eq(&one, &again));
    }

    #[test]
    fn beyond_its_bound_a_row_keeps_its_own_words() {
        let repeated = Repeated::default();
        for number in 0..MOST_TOLD {
            told(&repeated, &format!("{number} reads"));
        }
        let [one, other] = ["one more", "one more"].map(|it| told(&repeated, it));
        assert_eq!(one, other);
        assert!(!Arc::ptr_eq(&one, &other));
        assert_eq!(repeated.0.borrow().len(), MOST_TOLD);
    }
}
