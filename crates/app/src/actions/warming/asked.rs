//! Which endpoint a warm asks, and how gently.

use cachescope_actions::Failure;
use cachescope_actions::placeholders::{Piece, pieces};
use cachescope_actions::warm::{Endpoint, SecretHeader, WarmLimits};
use cachescope_model::strategy::{Namespace, WarmKind};

use super::super::planning::bad;
use super::meant::Meant;

/// Which part of the loaders' present work a refresh adds to it: so little that chance, which makes this work vary, does
/// not bring both together to half as much again.
const REFRESH_SHARE: f64 = 0.25;
/// Requests a minute of a refresh where next to nothing is missed.
const SLOWEST_REFRESH: u32 = 60;

impl Meant<'_> {
    /// Where no rate is given, a refresh adds a part of what the loaders do now, so that their peak stays near it.
    pub(super) fn limits_of_refresh(&self) -> WarmLimits {
        let limits = self.limits();
        match self.misses_per_second {
            Some(misses) if self.draft.limits.is_none() => WarmLimits {
                per_minute: ((misses * REFRESH_SHARE * 60.0) as u32)
                    .clamp(SLOWEST_REFRESH, limits.per_minute.max(SLOWEST_REFRESH) * 100),
                ..limits
            },
            _ => limits,
        }
    }

    pub(super) fn limits(&self) -> WarmLimits {
        if let Some(limits) = self.draft.limits {
            return limits;
        }
        let usual = WarmLimits::default();
        let Some(documented) = self.documented.map(|plan| plan.limits) else { return usual };
        WarmLimits {
            per_minute: documented.per_second.map_or(usual.per_minute, |rate| (rate * 60.0).ceil() as u32),
            concurrency: documented.concurrency.unwrap_or(usual.concurrency),
            most_errors: documented.max_errors.unwrap_or(usual.most_errors),
            ..usual
        }
    }

    pub(super) fn url(&self) -> Result<String, Failure> {
        let documented = self.documented.and_then(|plan| match &plan.kind {
            WarmKind::Http { url, .. } | WarmKind::HttpEach { url, .. } => Some(url.as_str()),
            _ => None,
        });
        let url = self.draft.url.as_deref().or(documented).ok_or_else(|| {
            bad(
                "it is not said which URL fills a key",
                "give it with --url, with the key's fields as {field}",
            )
        })?;
        let mut whole = if url.contains("://") {
            url.to_owned()
        } else {
            let base = self.draft.base_url.as_deref().ok_or_else(|| {
                bad(
                    format!("the plan's URL {url} names no host"),
                    "give the application's address with --base-url",
                )
            })?;
            format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/'))
        };
        for (name, value) in &self.draft.parameters {
            whole = whole.replace(&format!("{{{name}}}"), value);
        }
        Ok(whole)
    }

    pub(super) fn endpoint(&self, namespace: &Namespace) -> Result<Endpoint, Failure> {
        self.endpoint_of(self.url()?, Some(namespace))
    }

    pub(super) fn endpoint_of(
        &self,
        url: String,
        namespace: Option<&Namespace>,
    ) -> Result<Endpoint, Failure> {
        let documented = self.documented.and_then(|plan| match &plan.kind {
            WarmKind::Http { method, .. } | WarmKind::HttpEach { method, .. } => Some(method.as_str()),
            _ => None,
        });
        let named = |text: &str| match namespace {
            Some(own) => pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => text.to_owned(),
                    Piece::Field("namespace") => own.name.clone(),
                    Piece::Field("query") => own
                        .template
                        .fields()
                        .map(|field| format!("{field}={{{field}}}"))
                        .collect::<Vec<_>>()
                        .join("&"),
                    Piece::Field(field) => format!("{{{field}}}"),
                })
                .collect(),
            None => text.to_owned(),
        };
        Ok(Endpoint {
            method: self.draft.method.as_deref().or(documented).unwrap_or("GET").to_ascii_uppercase(),
            url: named(&url),
            headers: self.draft.headers.clone(),
            body: named(&self.draft.body),
            secret: self.draft.secret.as_deref().map(SecretHeader::bearer),
            private_addresses: self.draft.private_addresses,
        })
    }
}
