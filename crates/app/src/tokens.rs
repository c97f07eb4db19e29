//! Tokens that the core issues with what it showed, and takes back once.
//!
//! The page has no authority: a token stands for one thing that was shown, is of use once and for five minutes.

use std::time::Duration;

use cachescope_model::time::Timestamp;
use parking_lot::Mutex;

use crate::wire::IssuedApproval;

/// How long what was shown may be approved.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Tokens that may be open at once; the oldest goes first.
const MOST_OPEN: usize = 64;

/// Tokens for things of one kind.
pub(crate) struct Tokens<T> {
    open: Mutex<Vec<Issued<T>>>,
}

struct Issued<T> {
    token: String,
    what: T,
    expires_at: Timestamp,
}

impl<T> Default for Tokens<T> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<T> Tokens<T> {
    /// A token for what is shown.
    pub(crate) fn issue(&self, what: T, now: Timestamp) -> IssuedApproval {
        let token = cachescope_store::Store::new_deployment_id().0;
        let expires_at = now.plus_millis(LIFETIME.as_millis() as i64);
        let mut open = self.open.lock();
        open.retain(|issued| issued.expires_at > now);
        if open.len() == MOST_OPEN {
            open.remove(0);
        }
        open.push(Issued { token: token.clone(), what, expires_at });
        IssuedApproval { token, expires_at }
    }

    /// What a token stands for. It is of no use afterwards, whatever comes of it.
    ///
    /// # Errors
    /// Why it is of none.
    pub(crate) fn redeem(&self, token: &str, now: Timestamp) -> Result<T, &'static str> {
        let issued = {
            let mut open = self.open.lock();
            let place = open.iter().position(|issued| issued.token == token);
            place.map(|place| open.remove(place))
        };
        match issued {
            Some(issued) if issued.expires_at <= now => Err("this approval is older than five minutes"),
            Some(issued) => Ok(issued.what),
            None => Err("this was not approved, or the approval was used already"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once_and_for_five_minutes() {
        let tokens = Tokens::default();
        let now = Timestamp(1_000);
        let late = now.plus_millis(300_000);
        for (token, at, good) in [
            (tokens.issue('a', now).token, now, true),
            (tokens.issue('a', now).token, late.plus_millis(-1), true),
            (tokens.issue('a', now).token, late, false),
            ("forged".to_owned(), now, false),
        ] {
            assert_eq!(tokens.redeem(&token, at).is_ok(), good, "{at:?}");
            assert!(tokens.redeem(&token, now).is_err(), "it is spent");
        }
    }

    #[test]
    fn no_more_than_the_bound_are_open_and_the_oldest_goes_first() {
        let tokens = Tokens::default();
        let issued: Vec<_> = (0..=MOST_OPEN).map(|number| tokens.issue(number, Timestamp(0)).token).collect();
        for (number, token) in issued.iter().enumerate() {
            assert_eq!(tokens.redeem(token, Timestamp(1)).is_ok(), number > 0, "{number}");
        }
    }
}
