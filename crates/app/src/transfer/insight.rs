//! Redis Insight's export: a JSON list. Another Redis Desktop Manager's is the same list in base64 with other names
//! for some fields; Redis Insight reads both by one table (its `database-import.service.ts`), and so is it here.

use cachescope_model::deployment::Environment;
use serde_json::Value;

use super::tiny::colour;
use super::{Entry, File, unknown};
use crate::transfer::judging::{Parts, Tunnel};
use crate::wire::WireError;

/// Names of the formats, for people.
pub(super) const INSIGHT: &str = "Redis Insight";
pub(super) const ANOTHER: &str = "Another Redis Desktop Manager";

pub(super) fn read(json: &Value, format: &'static str) -> Result<File, WireError> {
    let items = json.as_array().ok_or_else(unknown)?;
    if !items.iter().all(Value::is_object) {
        return Err(unknown());
    }
    Ok(File { format, entries: items.iter().map(entry).collect() })
}

/// The first of these fields that is there; a dot leads into an object.
fn first<'a>(item: &'a Value, fields: &[&str]) -> Option<&'a Value> {
    let at = |field: &&str| field.split('.').try_fold(item, |value, part| value.get(part));
    fields.iter().filter_map(at).find(|value| !value.is_null())
}

/// The same as text; numbers are written out.
fn text(item: &Value, fields: &[&str]) -> String {
    match first(item, fields) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn entry(item: &Value) -> Entry {
    let sentinel = text(item, &["sentinelMaster.name", "sentinelOptions.masterName", "sentinelOptions.name"]);
    // Beside a Sentinel the entry's own login is the Sentinel's, and the primary's stands with its name.
    let login = (text(item, &["username"]), secret(item, &["password", "auth"]));
    let primary = (
        text(item, &["sentinelMaster.username"]),
        secret(
            item,
            &["sentinelMaster.password", "sentinelOptions.nodePassword", "sentinelOptions.sentinelPassword"],
        ),
    );
    let certificates = ["caCert", "clientCert", "sslOptions.ca", "sslOptions.cert", "sslOptions.key"];
    let has_certificates = certificates.iter().any(|field| match first(item, &[field]) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        _ => false,
    });
    let tls = first(item, &["tls", "ssl"]).and_then(Value::as_bool).unwrap_or(false)
        || first(item, &["sslOptions"]).is_some_and(Value::is_object)
        || has_certificates;
    let (user, password, sentinel_login) =
        if sentinel.is_empty() { (login.0, login.1, None) } else { (primary.0, primary.1, Some(login)) };
    let parts = Parts {
        host: text(item, &["host"]),
        port: text(item, &["port"]),
        database: text(item, &["db"]),
        user,
        password,
        tls,
        sentinel,
        sentinel_login,
        tunnel: tunnel(item),
    };
    let mut entry = parts.entry(text(item, &["name", "connectionName"]));
    if has_certificates {
        entry.notes.push("its certificates are not taken over: give their files in the form".to_owned());
    }
    if first(item, &["isProduction"]).and_then(Value::as_bool) == Some(true) {
        entry.draft.environment = Some(Environment::Production);
    }
    entry.draft.colour = colour(&text(item, &["color"]));
    entry
}

/// The SSH server of an entry: beside it (`sshOptions`, with the key itself in `privateKey`), or in it under older
/// names, where `sshKeyFile` is a path.
fn tunnel(item: &Value) -> Option<Tunnel> {
    let host = text(item, &["sshOptions.host", "ssh_host", "sshHost"]);
    if host.is_empty() && !first(item, &["ssh"]).and_then(Value::as_bool).unwrap_or(false) {
        return None;
    }
    let path =
        text(item, &["sshOptions.privateKey", "sshOptions.privatekey", "ssh_private_key_path", "sshKeyFile"]);
    // A key itself has several lines and says what it is.
    let is_path = !path.contains('\n') && !path.contains("PRIVATE KEY");
    let secrets =
        ["sshOptions.password", "sshOptions.passphrase", "ssh_password", "sshPassword", "sshKeyPassphrase"];
    Some(Tunnel {
        host,
        port: text(item, &["sshOptions.port", "ssh_port", "sshPort"]),
        user: text(item, &["sshOptions.username", "ssh_user", "sshUser"]),
        secret: !is_path || secret(item, &secrets).is_some(),
        key_file: if is_path { path } else { String::new() },
    })
}

/// A secret is taken as it is, spaces and all.
fn secret(item: &Value, fields: &[&str]) -> Option<String> {
    let found = first(item, fields).and_then(Value::as_str);
    found.filter(|text| !text.is_empty()).map(str::to_owned)
}
