//! What a scan found that the strategy does not want: stale versions, keys without tenant, another size.

use cachescope_model::snapshot::Finding;
use cachescope_model::template::Template;

use super::findings::finding;
use crate::engine::Engine;
use crate::scan::{Bytes, Interval};

/// A cache may differ from its documented size by this factor before it is said: keys and fragmentation make a
/// fifth of difference by themselves.
const TOLERATED: f64 = 1.5;
/// Smaller caches than this share of the documented size are said to be smaller.
const SMALLER: f64 = 0.25;
/// Documented sizes below this are a rounding of other things.
const LEAST_BYTES: f64 = 1_048_576.0;

pub(super) fn findings(engine: &Engine) -> Vec<Finding> {
    let mut findings = Vec::new();
    if engine.scans.complete.is_some() {
        stale_versions(engine, &mut findings);
        without_tenant(engine, &mut findings);
        sizes(engine, &mut findings);
    }
    findings
}

fn stale_versions(engine: &Engine, findings: &mut Vec<Finding>) {
    for (_, row) in engine.rows.live() {
        let Some(found) = row.scanned.as_deref().filter(|found| found.stale.keys > 0) else { continue };
        let about = if found.stale.estimated { "about " } else { "" };
        let summary = format!(
            "{about}{} keys of {} are older versions beside a newer one; the newest version is {}",
            found.stale.keys, row.title, found.stale.newest
        );
        let grace = engine.strategy.versioning.as_ref().and_then(|versioning| versioning.grace);
        let remedy = match grace {
            Some(grace) => format!(
                "old versions may stay for {}; what is there longer is to be deleted",
                cachescope_model::duration::format(grace)
            ),
            None => "delete them, or let them expire once the new version is in use".to_owned(),
        };
        findings.push(finding("stale-version", &row.template, summary, remedy));
    }
}

/// Keys that the strategy calls wrong because they carry no tenant, and keys nobody documents beside that.
fn without_tenant(engine: &Engine, findings: &mut Vec<Finding>) {
    for (number, row) in engine.rows.live() {
        let without = engine.tenants.of_row(number).1.of_row(number).map_or(0, |found| found.without);
        if without > 0 {
            let field = row.tenant_field.as_deref().unwrap_or_default();
            let summary = format!("{without} keys of {} have nothing where {{{field}}} belongs", row.title);
            findings.push(finding("no-tenant", &row.template, summary, TENANT_REMEDY));
        }
    }
    let Some(isolation) = &engine.strategy.tenant_isolation else { return };
    let forbidden: Vec<_> = isolation.forbidden.iter().map(Template::shape).collect();
    for (_, row) in engine.rows.live() {
        let Some(found) = row.scanned.as_deref().filter(|found| found.keys.value > 0.0) else { continue };
        let documented = engine.strategy.namespaces.iter().find(|it| it.template.as_str() == &*row.template);
        let exempt = documented.is_some_and(|it| isolation.exempt.contains(&it.name));
        let carries = documented.is_some_and(|it| {
            it.tenant.is_some() || it.template.fields().any(|field| field == isolation.field)
        });
        let is_forbidden = Template::parse(&row.template).is_ok_and(|it| forbidden.contains(&it.shape()));
        // Of keys nobody documents, nobody knows which part is a tenant: only those named as wrong are said.
        if exempt || carries || documented.is_none() && !is_forbidden {
            continue;
        }
        let summary = format!(
            "{:.0} keys of {} do not carry {{{}}}, which the strategy demands of every key",
            found.keys.value, row.title, isolation.field
        );
        findings.push(finding("no-tenant", &row.template, summary, TENANT_REMEDY));
    }
}

const TENANT_REMEDY: &str =
    "put the tenant into the key where it is written, or name the namespace as exempt in the strategy";

fn sizes(engine: &Engine, findings: &mut Vec<Finding>) {
    let Some(sizing) = &engine.strategy.sizing else { return };
    let overhead = if sizing.overhead > 0.0 { sizing.overhead } else { 1.0 };
    for entry in &sizing.entries {
        let mut found = Some(Interval::default());
        let mut templates = Vec::new();
        for name in &entry.namespaces {
            let Some(namespace) = engine.strategy.namespace(name) else { continue };
            templates.push(namespace.template.as_str());
            let row = engine.rows.find(namespace.template.as_str()).map(|row| engine.rows.get(row));
            let bytes = row.and_then(|row| row.scanned.as_deref()).map(|found| found.bytes);
            found = match (found, bytes) {
                (Some(sum), Some(Bytes::Known(bytes))) => Some(sum.plus(&bytes)),
                _ => None,
            };
        }
        if let (Some(found), [first, ..]) = (found, templates.as_slice()) {
            size(&entry.what, first, found, entry.expected_bytes(overhead), findings);
        }
    }
    if sizing.entries.is_empty()
        && let Some(total) = sizing.total_bytes
    {
        let known = engine.rows.live().filter_map(|(_, row)| row.scanned.as_deref()).try_fold(
            Interval::default(),
            |sum, found| match found.bytes {
                Bytes::Known(bytes) => Some(sum.plus(&bytes)),
                _ => None,
            },
        );
        if let Some(found) = known {
            size("the cache", "", found, total as f64 * overhead, findings);
        }
    }
}

/// Says so where the whole interval is beyond what is tolerated.
fn size(what: &str, namespace: &str, found: Interval, expected: f64, findings: &mut Vec<Finding>) {
    if expected < LEAST_BYTES {
        return;
    }
    let words = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let (takes, documented) = (words(found.value), words(expected));
    if found.low > expected * TOLERATED {
        let summary = format!("{what} takes {takes}; documented are {documented}, overhead included");
        let remedy = "look for larger values, more keys or a longer time to live than documented, or correct \
                      the sizing";
        findings.push(finding("larger-than-sized", namespace, summary, remedy));
    } else if found.high < expected * SMALLER {
        let summary = format!("{what} takes only {takes}; documented are {documented}, overhead included");
        let remedy = "see whether it is filled as documented, or correct the sizing";
        findings.push(finding("smaller-than-sized", namespace, summary, remedy));
    }
}
