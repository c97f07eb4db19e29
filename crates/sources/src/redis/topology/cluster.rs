//! A Redis Cluster as one of its nodes sees it: CLUSTER SHARDS since 7.0, CLUSTER SLOTS before.

use cachescope_model::topology::NodeRole;
use redis::{Pipeline, Value};

use super::super::capabilities::CLUSTER_RULES;
use super::super::command::text;
use super::super::failure::user_of;
use super::super::node::Gate;
use super::super::target::RedisTarget;
use super::reply::{Told, fields, host, list, number, port};
use crate::error::SourceError;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its identity, which outlives addresses and roles; empty where it isn't told.
    pub(super) id: String,
    pub(super) at: Told,
    pub(super) role: NodeRole,
    pub(super) shard: u32,
    /// Whether the cluster calls it failed, or it still loads its data.
    pub(super) down: bool,
    /// Whether its shard serves no slot.
    pub(super) slotless: bool,
}

/// What one node says.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) members: Vec<Member>,
    /// Which of them was asked.
    pub(super) myself: Option<String>,
    /// Slots that are served, of 16,384.
    pub(super) slots: u64,
    /// Whether the cluster calls itself ok; a node that is cut off from the others doesn't.
    pub(super) ok: bool,
    /// What could not be asked, and what would allow it.
    pub(super) remark: Option<(String, String)>,
}

/// Asks one node for the whole cluster.
///
/// # Errors
/// When the connection fails; what is refused is part of the view.
pub(super) async fn ask(gate: &mut Gate<'_>, target: &RedisTarget) -> Result<View, SourceError> {
    let mut asked = Pipeline::new();
    for subcommand in ["INFO", "MYID", "SHARDS"] {
        asked.cmd("CLUSTER").arg(subcommand);
    }
    let replies = gate.ask_many(gate.database(), &asked).await?;
    let [info, myself, shards] = replies.as_slice() else { return Ok(View::default()) };
    let mut view = View {
        ok: text(info).is_none_or(|info| !info.contains("cluster_state:fail")),
        myself: text(myself).filter(|id| !id.is_empty()),
        ..View::default()
    };
    if let Some((members, slots)) = parse_shards(shards, target.tls()) {
        (view.members, view.slots) = (members, slots);
        return Ok(view);
    }
    let mut asked = Pipeline::new();
    asked.cmd("CLUSTER").arg("SLOTS");
    let replies = gate.ask_many(gate.database(), &asked).await?;
    match replies.first() {
        Some(Value::ServerError(_)) | None => {
            let user = user_of(target);
            view.remark = Some((
                format!("user {user} may not ask {target} for the cluster's nodes, so it is watched alone"),
                format!("ACL SETUSER {user} {}", CLUSTER_RULES.join(" ")),
            ));
        }
        Some(slots) => (view.members, view.slots) = parse_slots(slots),
    }
    Ok(view)
}

/// Reads CLUSTER SHARDS; `None` where the reply is none (older than 7.0, or not permitted).
fn parse_shards(reply: &Value, tls: bool) -> Option<(Vec<Member>, u64)> {
    let Value::Array(shards) = reply else { return None };
    let (mut members, mut slots) = (Vec::new(), 0);
    for (shard, described) in (0..).zip(shards) {
        let (first, mut served) = (members.len(), 0);
        for (name, value) in fields(described) {
            match name.as_str() {
                "slots" => served = covered(list(value)),
                "nodes" => {
                    members.extend(list(value).iter().filter_map(|node| shard_member(node, shard, tls)));
                }
                _ => {}
            }
        }
        slots += served;
        let of_shard: &mut [Member] = members.get_mut(first..).unwrap_or_default();
        of_shard.iter_mut().for_each(|member| member.slotless = served == 0);
    }
    Some((members, slots))
}

/// Slots in a flat list of first and last ones.
fn covered(ranges: &[Value]) -> u64 {
    let ends = ranges.chunks_exact(2).filter_map(|ends| Some((number(&ends[0])?, number(&ends[1])?)));
    ends.map(|(first, last)| (last + 1).saturating_sub(first)).sum()
}

fn shard_member(described: &Value, shard: u32, tls: bool) -> Option<Member> {
    let (mut id, mut plain, mut encrypted) = (String::new(), None, None);
    let (mut endpoint, mut ip, mut role, mut down) = (None, None, NodeRole::Primary, false);
    for (name, value) in fields(described) {
        match name.as_str() {
            "id" => id = text(value).unwrap_or_default(),
            "port" => plain = port(value),
            "tls-port" => encrypted = port(value),
            // The preferred endpoint; where that is not known the address is as good.
            "endpoint" => endpoint = host(value),
            "ip" => ip = host(value),
            "role" if text(value).is_some_and(|role| role != "master") => role = NodeRole::Replica,
            "health" => down = text(value).is_some_and(|health| health != "online"),
            _ => {}
        }
    }
    let port = if tls { encrypted.or(plain) } else { plain.or(encrypted) }?;
    Some(Member { id, at: Told { host: endpoint.or(ip), port }, role, shard, down, slotless: false })
}

/// Reads CLUSTER SLOTS. Shards are told apart by their primary.
fn parse_slots(reply: &Value) -> (Vec<Member>, u64) {
    let (mut members, mut slots): (Vec<Member>, u64) = (Vec::new(), 0);
    let mut shards: Vec<Told> = Vec::new();
    for row in list(reply) {
        // [first slot, last slot, primary, replica, …]
        let [first, last, nodes @ ..] = list(row) else { continue };
        if let (Some(first), Some(last)) = (number(first), number(last)) {
            slots += (last + 1).saturating_sub(first);
        }
        let Some(primary) = nodes.first().and_then(slot_address) else { continue };
        let shard = shards.iter().position(|known| *known == primary.0).unwrap_or_else(|| {
            shards.push(primary.0);
            shards.len() - 1
        });
        for (place, (at, id)) in nodes.iter().filter_map(slot_address).enumerate() {
            if !members.iter().any(|known| known.at == at) {
                let role = if place == 0 { NodeRole::Primary } else { NodeRole::Replica };
                members.push(Member { id, at, role, shard: shard as u32, down: false, slotless: false });
            }
        }
    }
    (members, slots)
}

/// `[endpoint, port, id, metadata]`; the metadata holds the address where a host name is preferred.
fn slot_address(node: &Value) -> Option<(Told, String)> {
    let [endpoint, at, rest @ ..] = list(node) else { return None };
    let id = rest.first().and_then(text).unwrap_or_default();
    let ip = || {
        let metadata = fields(rest.get(1)?);
        metadata.into_iter().find(|(name, _)| name == "ip").and_then(|(_, value)| host(value))
    };
    Some((Told { host: host(endpoint).or_else(ip), port: port(at)? }, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(fields: &[(&str, Value)]) -> Value {
        Value::Array(fields.iter().flat_map(|(name, value)| [word(name), value.clone()]).collect())
    }

    fn told(members: &[Member]) -> Vec<(Option<&str>, u16, NodeRole, u32, bool)> {
        let one = |member: &Member| (member.at.port, member.role, member.shard, member.down);
        members
            .iter()
            .map(|member| {
                let (port, role, shard, down) = one(member);
                (member.at.host.as_deref(), port, role, shard, down)
            })
            .collect()
    }

    #[test]
    fn shards_tell_endpoints_ports_roles_and_health() {
        let first = Value::Array(vec![
            word("slots"),
            Value::Array(vec![Value::Int(0), Value::Int(99), Value::Int(200), Value::Int(200)]),
            word("nodes"),
            Value::Array(vec![
                node(&[
                    ("id", word("one")),
                    ("port", Value::Int(7000)),
                    ("tls-port", Value::Int(7443)),
                    ("ip", word("10.0.0.1")),
                    ("endpoint", word("cache-1.test")),
                    ("role", word("master")),
                    ("health", word("online")),
                ]),
                node(&[
                    ("id", word("two")),
                    ("port", Value::Int(7001)),
                    ("ip", word("10.0.0.2")),
                    ("endpoint", word("?")),
                    ("role", word("replica")),
                    ("health", word("fail")),
                ]),
            ]),
        ]);
        let second = Value::Array(vec![
            word("slots"),
            Value::Array(vec![]),
            word("nodes"),
            Value::Array(vec![node(&[
                ("port", Value::Int(7002)),
                ("endpoint", Value::Nil),
                ("ip", word("")),
            ])]),
        ]);
        let reply = Value::Array(vec![first, second]);
        let (members, slots) = parse_shards(&reply, false).expect("a list");
        assert_eq!(slots, 101);
        assert_eq!(
            told(&members),
            [
                (Some("cache-1.test"), 7000, NodeRole::Primary, 0, false),
                (Some("10.0.0.2"), 7001, NodeRole::Replica, 0, true),
                (None, 7002, NodeRole::Primary, 1, false),
            ]
        );
        let (members, _) = parse_shards(&reply, true).expect("a list");
        assert_eq!(members[0].at.port, 7443);
        assert!(parse_shards(&Value::Nil, false).is_none());
    }

    #[test]
    fn slots_tell_the_same_with_one_shard_for_every_range_of_a_primary() {
        let at = |host: &str, port, id: &str| Value::Array(vec![word(host), Value::Int(port), word(id)]);
        let row = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let by_ip = Value::Array(vec![
            word("?"),
            Value::Int(3),
            word("c"),
            Value::Array(vec![word("ip"), word("10.0.0.3")]),
        ]);
        let reply = Value::Array(vec![
            row(0, 9, vec![at("h", 1, "a"), at("h", 2, "b")]),
            row(10, 19, vec![by_ip]),
            row(20, 20, vec![at("h", 1, "a"), at("h", 2, "b")]),
            Value::Nil,
        ]);
        let (members, slots) = parse_slots(&reply);
        assert_eq!(slots, 21);
        assert_eq!(
            told(&members),
            [
                (Some("h"), 1, NodeRole::Primary, 0, false),
                (Some("h"), 2, NodeRole::Replica, 0, false),
                (Some("10.0.0.3"), 3, NodeRole::Primary, 1, false),
            ]
        );
    }
}
