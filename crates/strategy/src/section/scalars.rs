//! Single values: text, durations, sizes, numbers, flags, templates, names of other things.

use std::time::Duration;

use cachescope_model::duration;
use cachescope_model::template::Template;
use cachescope_model::visible::visible_prose;
use toml::de::DeValue;

use super::Section;
use crate::names::Kind;
use crate::value;

/// What people read in sentences and titles: nothing in it may turn round what stands beside it.
const PROSE: [&str; 9] =
    ["title", "summary", "action", "documented", "note", "what", "how", "handled_by", "technology"];

impl Section<'_> {
    /// Text.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        let found = self.get(key)?.get_ref();
        if found.as_str().is_none() {
            self.wrong_type(key, found, &format!("text in quotes: {key} = \"…\""));
        }
        let text = found.as_str()?;
        Some(if PROSE.contains(&key) { visible_prose(text).into_owned() } else { text.to_owned() })
    }

    /// Text, empty where the key is absent.
    pub(crate) fn text_or_empty(&self, key: &'static str) -> String {
        self.text(key).unwrap_or_default()
    }

    /// Whether the key holds exactly this text.
    pub(crate) fn says(&self, key: &'static str, text: &str) -> bool {
        self.get(key).is_some_and(|found| found.get_ref().as_str() == Some(text))
    }

    /// Text that must be there.
    pub(crate) fn required_text(&self, key: &'static str, example: &str) -> String {
        if !self.has(key) {
            self.missing(key, example);
        }
        let text = self.text(key);
        if text.as_deref() == Some("") {
            self.error(key, format!("`{key}` is empty; write something like {key} = {example}"));
        }
        text.unwrap_or_default()
    }

    /// Text that `read` understands; its error is the whole message.
    pub(crate) fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|message| self.error(key, format!("`{key}`: {message}"))).ok()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.read(key, |written| value::word(written, words))
    }

    /// A duration such as `15m`.
    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        let found = self.get(key)?.get_ref();
        if let Some(seconds) = found.as_integer() {
            let message = format!("`{key}` has no unit; write {key} = \"{}s\" for seconds", seconds.as_str());
            self.error(key, message);
            return None;
        }
        self.read(key, |text| duration::parse(text).map_err(|error| error.to_string()))
    }

    /// A duration longer than nothing.
    pub(crate) fn lifetime(&self, key: &'static str) -> Option<Duration> {
        let lifetime = self.duration(key)?;
        if lifetime.is_zero() {
            self.error(key, format!("`{key}` is 0, so nothing would ever be kept; write {key} = \"5m\""));
            return None;
        }
        Some(lifetime)
    }

    /// A size such as `2 KB`, or a plain number of bytes.
    pub(crate) fn bytes(&self, key: &'static str) -> Option<u64> {
        let found = self.get(key)?.get_ref();
        if found.is_integer() { self.integer(key) } else { self.read(key, value::bytes) }
    }

    /// A finite number; whole numbers count too.
    pub(crate) fn number(&self, key: &'static str) -> Option<f64> {
        let found = self.get(key)?.get_ref();
        let number = match found {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(integer) => {
                i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix())
                    .ok()
                    .map(|whole| whole as f64)
            }
            _ => None,
        };
        let number = number.filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.wrong_type(key, found, &format!("a number: {key} = 0.8"));
        }
        number
    }

    /// A ratio from 0 to 1.
    pub(crate) fn ratio(&self, key: &'static str) -> Option<f64> {
        let number = self.number(key)?;
        value::ratio(number).map_err(|message| self.error(key, format!("`{key}`: {message}"))).ok()
    }

    /// A whole number from 0.
    pub(crate) fn integer(&self, key: &'static str) -> Option<u64> {
        let found = self.get(key)?.get_ref();
        let number = found.as_integer().and_then(|integer| {
            u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
        });
        if number.is_none() {
            self.wrong_type(key, found, &format!("a whole number from 0: {key} = 100"));
        }
        number
    }

    /// A whole number from 0 to `u32::MAX`.
    pub(crate) fn small_integer(&self, key: &'static str) -> Option<u32> {
        let number = self.integer(key)?;
        let small = u32::try_from(number);
        let too_large = |_| {
            self.error(key, format!("`{key}`: {number} is too large; write at most {}", u32::MAX));
        };
        small.map_err(too_large).ok()
    }

    /// `true` or `false`, `false` where the key is absent.
    pub(crate) fn flag(&self, key: &'static str) -> bool {
        let Some(found) = self.get(key) else { return false };
        let flag = found.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, found.get_ref(), &format!("true or false without quotes: {key} = true"));
        }
        flag.unwrap_or_default()
    }

    /// A template.
    pub(crate) fn template(&self, key: &'static str) -> Option<Template> {
        self.read(key, value::template)
    }

    /// The name of a metric or label.
    pub(crate) fn metric(&self, key: &'static str) -> Option<String> {
        self.read(key, value::metric)
    }

    /// The name of something else in the file; whether it is there is checked at the end.
    pub(crate) fn reference(&self, key: &'static str, kind: Kind) -> Option<String> {
        let name = self.text(key)?;
        self.context.names.refer(kind, &name, self.line_of(key), &self.place);
        Some(name)
    }
}
