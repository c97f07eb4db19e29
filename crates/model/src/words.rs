//! Words that cost nothing to repeat.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A short text that thousands of readings may carry alike, such as a source or the reason why a figure is
/// missing: written in the program, or made once and shared. Cloning it copies no text.
#[derive(Clone)]
pub enum Words {
    /// Written in the program.
    Fixed(&'static str),
    /// Made while it runs.
    Shared(Arc<str>),
}

impl Words {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Shared(text) => text,
        }
    }

    /// Whether it is written in the program.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::Fixed("")
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Words {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&'static str> for Words {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Words {}

impl PartialEq<str> for Words {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Words {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Hash for Words {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.as_str().hash(hasher);
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_equal_by_their_text_and_travel_as_text() {
        let fixed = Words::from("INFO");
        let shared = Words::from("INFO".to_owned());
        assert_eq!(fixed, shared);
        assert_ne!(fixed, Words::default());
        assert_eq!(format!("{shared:>6}|{fixed:?}"), "  INFO|\"INFO\"");
        let written = serde_json::to_string(&shared).expect("a text is JSON");
        assert_eq!(written, "\"INFO\"");
        assert_eq!(serde_json::from_str::<Words>(&written).expect("and back"), fixed);
    }

    #[test]
    fn a_clone_shares_the_text() {
        let words = Words::from("made while it runs".to_owned());
        assert!(std::ptr::eq(words.as_str(), words.clone().as_str()));
        assert!(!words.is_fixed());
    }
}
