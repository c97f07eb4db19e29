//! From a playbook's step to the requests over HTTP that do it: an endpoint of the application, an invalidation at the
//! CDN. A route tag or a view goes by the endpoint `route-tag` or `refresh-view` of the strategy, where it has one.

use std::collections::BTreeMap;

use cachescope_actions::Failure;
use cachescope_actions::plan::{Action, Scope};
use cachescope_actions::request::{AskedOf, HttpRequest, origin_of};
use cachescope_model::strategy::{Endpoint, Step, StepAction, Strategy};

use super::endpoints::Endpoints;
use super::planning::{bad, filled_text};

/// Endpoints of a strategy that do what a kind of step asks for; each takes the field that stands beside it.
const ROUTE_TAG: (&str, &str) = ("route-tag", "tag");
const REFRESH_VIEW: (&str, &str) = ("refresh-view", "view");
/// A parameter of this name is a pattern of keys, and the endpoint removes what it matches.
const PATTERN: &str = "pattern";
/// What a CDN's body is, where nothing else is said.
const USUAL_BODY: &str = r#"{"paths": {paths}}"#;

type Parameters = BTreeMap<String, String>;

/// Whom a step asks.
enum Asked<'s> {
    Endpoint(&'s Endpoint, Parameters),
    Cdn(&'s [String]),
}

/// `None` where a step is none of asking; `Err` says what is missing.
fn asked<'s>(step: &'s Step, strategy: &'s Strategy) -> Option<Result<Asked<'s>, String>> {
    let named = |name: &str| strategy.endpoints.iter().find(|endpoint| endpoint.name == name);
    let special = |(name, field): (&str, &str), value: &str| {
        let own = Parameters::from([(field.to_owned(), value.to_owned())]);
        let missing = format!("the strategy has no endpoint {name:?} that takes {{{field}}}");
        Some(named(name).map(|endpoint| Asked::Endpoint(endpoint, own)).ok_or(missing))
    };
    match &step.action {
        StepAction::Endpoint { endpoint } => Some(
            named(endpoint)
                .map(|endpoint| Asked::Endpoint(endpoint, Parameters::new()))
                .ok_or_else(|| format!("the strategy has no endpoint {endpoint:?}")),
        ),
        StepAction::RouteTag { tag } => special(ROUTE_TAG, tag),
        StepAction::RefreshView { view } => special(REFRESH_VIEW, view),
        StepAction::Cdn { paths } => Some(Ok(Asked::Cdn(paths))),
        _ => None,
    }
}

/// Texts of a step in which parameters stand.
pub(super) fn written(step: &Step, strategy: &Strategy) -> Vec<String> {
    match asked(step, strategy) {
        Some(Ok(Asked::Endpoint(endpoint, own))) if own.is_empty() => vec![endpoint.path.clone()],
        Some(Ok(Asked::Endpoint(_, own))) => own.into_values().collect(),
        Some(Ok(Asked::Cdn(paths))) => paths.to_vec(),
        _ => Vec::new(),
    }
}

/// Why a step that asks can't be done from here; `None` where it can.
pub(super) fn missing(step: &Step, strategy: &Strategy, endpoints: &Endpoints) -> Option<String> {
    match asked(step, strategy)? {
        Err(missing) => Some(missing),
        Ok(Asked::Cdn(_)) if endpoints.cdn_url.is_empty() => {
            Some("no CDN's address is given for this deployment".to_owned())
        }
        Ok(Asked::Cdn(_)) => None,
        Ok(Asked::Endpoint(endpoint, _)) => address(&endpoint.path, endpoints).err(),
    }
}

/// Where an endpoint is. A strategy comes from anywhere, so an address that it names counts only where it is on the
/// application's own host.
fn address(path: &str, endpoints: &Endpoints) -> Result<String, String> {
    let base = &endpoints.application_url;
    let whole = path.starts_with("http://") || path.starts_with("https://");
    if base.is_empty() {
        return Err("no address of the application is given for this deployment".to_owned());
    }
    if !whole {
        return Ok(format!("{base}/{}", path.trim_start_matches('/')));
    }
    if origin_of(path).is_some() && origin_of(path) == origin_of(base) {
        return Ok(path.to_owned());
    }
    Err(format!("the strategy names {path}, and the application of this deployment is at {base}"))
}

/// The requests of a step; `None` where it is none of asking. One that can't be sent is shown with the reason.
pub(super) fn requests(
    step: &Step,
    strategy: &Strategy,
    endpoints: &Endpoints,
    parameters: &Parameters,
    database: Option<u16>,
) -> Result<Option<Vec<Action>>, Failure> {
    if step.handled_by.is_some() {
        return Ok(None);
    }
    let what = step.action.to_string();
    if let Some(by) = missing(step, strategy, endpoints) {
        return Ok(Some(vec![Action::Shown { what, by: format!("not done from here: {by}") }]));
    }
    let Some(Ok(asked)) = asked(step, strategy) else { return Ok(None) };
    match asked {
        Asked::Endpoint(endpoint, own) => {
            let mut filled = parameters.clone();
            for (name, text) in &own {
                filled.insert(name.clone(), plain(text, parameters)?);
            }
            let path = text_of(filled_text(&endpoint.path, &filled, |value| encoded(value, ""))?)?;
            let url = address(&path, endpoints).map_err(|missing| bad(missing, ""))?;
            let request = HttpRequest {
                of: AskedOf::Application,
                method: endpoint.method.to_ascii_uppercase(),
                url,
                body: String::new(),
                protected: endpoint.protected,
                private_address: endpoints.application_private,
            };
            let takes_pattern = endpoint.path.contains(&format!("{{{PATTERN}}}"));
            let pattern = filled.get(PATTERN).filter(|_| takes_pattern).cloned();
            let reaches = pattern.map(|pattern| Scope::Pattern { pattern, database });
            Ok(Some(vec![Action::Request { what, request, reaches }]))
        }
        Asked::Cdn(paths) => {
            let paths = paths.iter().map(|path| plain(path, parameters)).collect::<Result<Vec<_>, _>>()?;
            Ok(Some(at_the_cdn(&what, &paths, endpoints)?))
        }
    }
}

fn at_the_cdn(what: &str, paths: &[String], endpoints: &Endpoints) -> Result<Vec<Action>, Failure> {
    let method = if endpoints.cdn_method.is_empty() { "POST" } else { &endpoints.cdn_method };
    let action = |url: String, body: String| Action::Request {
        what: what.to_owned(),
        request: HttpRequest {
            of: AskedOf::Cdn,
            method: method.to_owned(),
            url,
            body,
            protected: endpoints.view().has_cdn_token,
            private_address: endpoints.cdn_private,
        },
        reaches: None,
    };
    if endpoints.cdn_url.contains("{path}") {
        let url = |path: &String| {
            let path = text_of(encoded(path.trim_start_matches('/'), "/*?=&"))?;
            Ok(action(endpoints.cdn_url.replace("{path}", &path), String::new()))
        };
        return paths.iter().map(url).collect();
    }
    let list = serde_json::to_string(paths).unwrap_or_default();
    let body = if endpoints.cdn_body.is_empty() { USUAL_BODY } else { &endpoints.cdn_body };
    let body = body.replace("{paths}", &list);
    if serde_json::from_str::<serde_json::Value>(&body).is_err() {
        return Err(bad("the body for the CDN is no JSON", r#"write it like {"paths": {paths}}"#));
    }
    Ok(vec![action(endpoints.cdn_url.clone(), body)])
}

fn plain(text: &str, parameters: &Parameters) -> Result<String, Failure> {
    text_of(filled_text(text, parameters, |value| value.as_bytes().to_vec())?)
}

fn text_of(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| bad("a parameter is no text", ""))
}

/// Percent-encoded (RFC 3986), but for what is unreserved and for `but`.
fn encoded(value: &str, but: &str) -> Vec<u8> {
    value.bytes().fold(Vec::new(), |mut text, byte| {
        let stays = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || but.as_bytes().contains(&byte);
        if stays {
            text.push(byte);
        } else {
            text.extend(format!("%{byte:02X}").into_bytes());
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(application: &str, cdn: &str) -> Endpoints {
        let mut endpoints = Endpoints::default();
        endpoints.application_url = application.to_owned();
        endpoints.cdn_url = cdn.to_owned();
        endpoints
    }

    fn step(action: StepAction) -> Step {
        Step { action, handled_by: None, note: String::new() }
    }

    fn strategy(path: &str) -> Strategy {
        let endpoint = |name: &str, path: &str| Endpoint {
            name: name.to_owned(),
            method: "post".to_owned(),
            path: path.to_owned(),
            protected: true,
            what: String::new(),
        };
        Strategy {
            endpoints: vec![endpoint("purge", path), endpoint("route-tag", "/api/revalidate?tag={tag}")],
            ..Strategy::default()
        }
    }

    fn only(action: StepAction, strategy: &Strategy, endpoints: &Endpoints, pattern: &str) -> Action {
        let parameters = Parameters::from([("pattern".to_owned(), pattern.to_owned())]);
        let made =
            requests(&step(action), strategy, endpoints, &parameters, None).expect("it can be planned");
        made.expect("it asks").remove(0)
    }

    #[test]
    fn an_endpoint_is_called_below_the_applications_address_with_parameters_that_can_not_break_out() {
        let purge = StepAction::Endpoint { endpoint: "purge".to_owned() };
        let strategy = strategy("/api/purge?key={pattern}");
        let made = only(purge.clone(), &strategy, &endpoints("https://app.example/v2", ""), "a*&x=/../1#");
        let Action::Request { request, reaches, .. } = made else { panic!("{made:?}") };
        assert_eq!(request.url, "https://app.example/v2/api/purge?key=a%2A%26x%3D%2F..%2F1%23");
        assert_eq!((request.method.as_str(), request.protected), ("POST", true));
        assert_eq!(reaches, Some(Scope::Pattern { pattern: "a*&x=/../1#".to_owned(), database: None }));
        let shown = only(purge, &strategy, &endpoints("", ""), "a*");
        assert!(shown.to_string().contains("no address of the application"), "{shown}");
    }

    #[test]
    fn an_address_that_a_strategy_names_counts_only_on_the_applications_own_host() {
        let purge = StepAction::Endpoint { endpoint: "purge".to_owned() };
        let elsewhere = strategy("https://evil.example/purge?key={pattern}");
        let shown = only(purge.clone(), &elsewhere, &endpoints("https://app.example", ""), "a*");
        assert!(matches!(&shown, Action::Shown { by, .. } if by.contains("evil.example")), "{shown:?}");
        let own = strategy("https://app.example/purge?key={pattern}");
        let made = only(purge, &own, &endpoints("https://app.example", ""), "a*");
        assert!(matches!(made, Action::Request { .. }), "{made:?}");
    }

    #[test]
    fn a_cdn_gets_one_list_or_one_request_a_path_and_a_route_tag_its_endpoint() {
        let cdn = StepAction::Cdn { paths: vec!["/api/*".to_owned(), "/{pattern}".to_owned()] };
        let none = Strategy::default();
        let made = only(cdn.clone(), &none, &endpoints("", "https://cdn.example/purge"), "x y");
        let Action::Request { request, .. } = made else { panic!("{made:?}") };
        assert_eq!(request.body, r#"{"paths": ["/api/*","/x y"]}"#);
        let parameters = Parameters::from([("pattern".to_owned(), "x y".to_owned())]);
        let by_path = endpoints("", "https://www.example/{path}");
        let made = requests(&step(cdn), &none, &by_path, &parameters, None).expect("planned").expect("asks");
        let urls: Vec<_> = made.iter().map(ToString::to_string).collect();
        assert!(urls[0].ends_with("https://www.example/api/*"), "{urls:?}");
        assert!(urls[1].ends_with("https://www.example/x%20y"), "{urls:?}");
        let tag = StepAction::RouteTag { tag: "services".to_owned() };
        let made = only(tag.clone(), &strategy("/p"), &endpoints("https://app.example", ""), "x");
        assert!(made.to_string().ends_with("https://app.example/api/revalidate?tag=services"), "{made}");
        let shown = only(tag, &none, &endpoints("https://app.example", ""), "x");
        assert!(shown.to_string().contains("no endpoint \"route-tag\""), "{shown}");
    }
}
