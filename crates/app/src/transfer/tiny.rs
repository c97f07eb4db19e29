//! Tiny RDM's `connections.yaml`: a list of connections, and of groups that hold connections. Its export is an archive
//! with that file in it.

use cachescope_model::deployment::Colour;
use cachescope_rules::yaml::{self, Node};

use super::judging::{Parts, Tunnel};
use super::{Entry, File, unknown};
use crate::wire::WireError;

const FORMAT: &str = "Tiny RDM";

pub(super) fn read(text: &str) -> Result<File, WireError> {
    let document = yaml::read(text).ok().flatten().ok_or_else(unknown)?;
    let mut entries = Vec::new();
    for node in document.list("connections").map_err(|_| unknown())? {
        if node.entries().is_empty() {
            return Err(unknown());
        }
        if field(node, "type") == "group" {
            let group = field(node, "name");
            let members = node.get("connections").and_then(|it| it.list("connections").ok());
            entries.extend(members.unwrap_or_default().iter().map(|member| entry(member, &group)));
        } else {
            entries.push(entry(node, ""));
        }
    }
    Ok(File { format: FORMAT, entries })
}

fn field(node: &Node, name: &str) -> String {
    node.get(name).and_then(Node::text).unwrap_or_default().to_owned()
}

fn entry(node: &Node, group: &str) -> Entry {
    let part = |name: &str| node.get(name).filter(|part| field(part, "enable") == "true");
    let login = |node: &Node| {
        (field(node, "username"), Some(field(node, "password")).filter(|password| !password.is_empty()))
    };
    let sentinel = part("sentinel");
    // Here the entry's own login is the Sentinel's as well, where there is one.
    let (user, password) = sentinel.map_or_else(|| login(node), login);
    let ssl = part("ssl");
    let parts = Parts {
        host: field(node, "addr"),
        port: field(node, "port"),
        database: field(node, "last_db"),
        user,
        password,
        tls: ssl.is_some(),
        sentinel: sentinel.map(|sentinel| field(sentinel, "master")).unwrap_or_default(),
        sentinel_login: sentinel.map(|_| login(node)),
        tunnel: part("ssh").map(tunnel),
    };
    let mut entry = parts.entry(field(node, "name"));
    if let Some(ssl) = ssl {
        entry.draft.ca_file = field(ssl, "caFile");
        entry.draft.cert_file = field(ssl, "certFile");
        entry.draft.key_file = field(ssl, "keyFile");
    }
    group.clone_into(&mut entry.draft.group);
    entry.draft.colour = colour(&field(node, "mark_color"));
    entry
}

/// Its SSH server: with a password or, where `login_type` says so, with a key's file.
fn tunnel(ssh: &Node) -> Tunnel {
    let with_key = field(ssh, "login_type").contains("pk");
    let secret = if with_key { "passphrase" } else { "password" };
    Tunnel {
        host: field(ssh, "addr"),
        port: field(ssh, "port"),
        user: field(ssh, "username"),
        key_file: if with_key { field(ssh, "pk_file") } else { String::new() },
        secret: !field(ssh, secret).is_empty(),
    }
}

/// The colour of ours that is most like one of another program (`#rrggbb`), by its hue.
pub(super) fn colour(text: &str) -> Option<Colour> {
    let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| i32::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let (red, green, blue) = (part(0)?, part(2)?, part(4)?);
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let span = most - least;
    if span < 24 {
        return Some(Colour::Grey);
    }
    // Hue in degrees (CSS Color 4, section 7).
    let hue = if most == red {
        (60 * (green - blue) / span).rem_euclid(360)
    } else if most == green {
        60 * (blue - red) / span + 120
    } else {
        60 * (red - green) / span + 240
    };
    Some(match hue {
        20..45 => Colour::Orange,
        45..70 => Colour::Yellow,
        70..160 => Colour::Green,
        160..195 => Colour::Teal,
        195..255 => Colour::Blue,
        255..330 => Colour::Purple,
        _ => Colour::Red,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_becomes_the_one_of_ours_that_is_most_like_it() {
        for (text, expected) in [
            ("#ff0000", Some(Colour::Red)),
            ("#E6A23C", Some(Colour::Orange)),
            ("#ffff00", Some(Colour::Yellow)),
            ("#67c23a", Some(Colour::Green)),
            ("#00ffd0", Some(Colour::Teal)),
            ("#409EFF", Some(Colour::Blue)),
            ("#8040ff", Some(Colour::Purple)),
            ("#ff0060", Some(Colour::Red)),
            ("#909399", Some(Colour::Grey)),
            ("", None),
            ("red", None),
            ("#12345", None),
            ("#ü2345", None),
            ("#zzzzzz", None),
        ] {
            assert_eq!(colour(text), expected, "{text}");
        }
    }
}
