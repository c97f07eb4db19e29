//! One way to write a value, so that its hash is the same wherever and whenever it is made.

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;

/// Compact JSON with the names of every object in order.
///
/// # Errors
/// When the value can't be written as JSON.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write(&serde_json::to_value(value)?, &mut text)?;
    Ok(text)
}

/// SHA-256 over [`json`], in hexadecimal.
///
/// # Errors
/// As [`json`].
pub fn hash(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(sha256(json(value)?.as_bytes()))
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write(value: &Value, text: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Object(fields) => {
            // Not left to the map: whether it sorts is a feature that any crate of the build may switch.
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (place, (name, value)) in names.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(name)?);
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        plain => text.push_str(&serde_json::to_string(plain)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_names_were_put_in_does_not_matter_and_the_order_of_a_list_does() {
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let one = json(&read(r#"{"b": [2, 1], "a": {"d": "é\n", "c": null}}"#)).expect("written");
        assert_eq!(one, r#"{"a":{"c":null,"d":"é\n"},"b":[2,1]}"#);
        assert_ne!(hash(&read("[1,2]")).expect("hashed"), hash(&read("[2,1]")).expect("hashed"));
    }

    #[test]
    fn the_hash_is_sha_256() {
        // The hash of nothing, as FIPS 180-4's examples have it.
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
