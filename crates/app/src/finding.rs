//! Looking for a Prometheus and for metrics pages where they usually stand: on the host of the Redis.
//!
//! Only when somebody asks for it, only in private networks, and each place once: nobody's servers on the internet are
//! knocked at because an address was typed. What a name means behind an SSH server is known there alone, so there a
//! name is taken for one of the private network that it was opened to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cachescope_sources::http::metrics::{self, MetricsTarget};
use cachescope_sources::http::{HttpOptions, is_private};
use cachescope_sources::prometheus::query::PrometheusClient;
use cachescope_sources::redis::{Endpoint, RedisAddress};
use cachescope_sources::ssh::Tunnel;
use futures::future::join_all;

use crate::wire::{EndpointKind, TriedEndpoint, WireError, WireErrorCode};

/// What does not answer by then is not there, as far as somebody at a form can wait.
const WITHIN: Duration = Duration::from_secs(2);

/// Where things usually stand: a Prometheus, redis_exporter, and the ports on which applications show their metrics.
const PLACES: [(u16, EndpointKind); 6] = [
    (9090, EndpointKind::Prometheus),
    (9121, EndpointKind::Metrics),
    (8080, EndpointKind::Metrics),
    (8000, EndpointKind::Metrics),
    (3000, EndpointKind::Metrics),
    (2112, EndpointKind::Metrics),
];

/// Opening a tunnel may take a login's time.
const TUNNEL_WITHIN: Duration = Duration::from_secs(5);

/// Tries every place beside each other, and says of each what is there; through a tunnel where one is given.
///
/// # Errors
/// `bad_input` where the address can't be read, `refused` where its host is not in a private network, and what keeps
/// the tunnel from being opened.
pub async fn endpoints(redis_url: &str, ssh: Option<Arc<Tunnel>>) -> Result<Vec<TriedEndpoint>, WireError> {
    let host = host_of(redis_url)?;
    refuse_public(&host, ssh.is_some()).await?;
    if let Some(tunnel) = &ssh {
        tunnel.open(TUNNEL_WITHIN).await?;
    }
    let http = HttpOptions { ssh, timeout: WITHIN, ..HttpOptions::default() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(join_all(PLACES.map(|(port, kind)| tried(format!("http://{host}:{port}"), kind, http.clone()))).await)
}

/// The first server's host; a socket's server is on this machine.
fn host_of(redis_url: &str) -> Result<String, WireError> {
    let address = RedisAddress::parse(redis_url)?;
    match address.seeds().first().map(|server| server.endpoint()) {
        Some(Endpoint::Tcp { host, .. }) => Ok(host.clone()),
        Some(Endpoint::Unix(_)) | None => Ok("127.0.0.1".to_owned()),
    }
}

async fn refuse_public(host: &str, tunnelled: bool) -> Result<(), WireError> {
    let found: Vec<IpAddr> = match host.parse() {
        Ok(literal) => vec![literal],
        Err(_) if tunnelled => return Ok(()),
        Err(_) => match tokio::time::timeout(WITHIN, tokio::net::lookup_host((host, 0))).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        },
    };
    if found.is_empty() {
        return Err(WireError::new(WireErrorCode::Unreachable, format!("the name {host} is not known here"))
            .with_remedy("check the address"));
    }
    if found.iter().all(|address| is_private(*address)) {
        return Ok(());
    }
    let sentence = format!("{host} is on the internet, where nothing is looked for");
    Err(WireError::new(WireErrorCode::Refused, sentence)
        .with_remedy("type the addresses of its Prometheus or metrics pages"))
}

async fn tried(base: String, kind: EndpointKind, http: HttpOptions) -> TriedEndpoint {
    let (url, found) = match kind {
        EndpointKind::Prometheus => (base.clone(), prometheus(&base, http).await),
        EndpointKind::Metrics => {
            let url = format!("{base}/metrics");
            let found = page(&url, http).await;
            (url, found)
        }
    };
    let (found, detail) = match found {
        Ok(detail) => (true, detail),
        Err(detail) => (false, detail),
    };
    TriedEndpoint { url, kind, found, detail }
}

async fn prometheus(url: &str, http: HttpOptions) -> Result<String, String> {
    let asked = async { PrometheusClient::new(url, http)?.build_info().await };
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Ok(build)) => Ok(format!("Prometheus {}", build.version)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

async fn page(url: &str, http: HttpOptions) -> Result<String, String> {
    let mut target = MetricsTarget::new(url);
    target.http = http;
    match tokio::time::timeout(WITHIN, metrics::scrape(&target)).await {
        Ok(Ok(page)) if page.samples.is_empty() => Err("a page without metrics".to_owned()),
        Ok(Ok(page)) => Ok(format!("{} series", page.samples.len())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cachescope_lab::servers::{PrometheusOptions, PrometheusServer};

    #[tokio::test]
    async fn the_internet_is_not_knocked_at() {
        for (address, code) in [
            ("redis://8.8.8.8:6379", WireErrorCode::Refused),
            ("redis://[2606:4700::1111]", WireErrorCode::Refused),
            ("redis://nowhere.invalid", WireErrorCode::Unreachable),
            ("ftp://x", WireErrorCode::BadInput),
        ] {
            let error = endpoints(address, None).await.expect_err(address);
            assert_eq!(error.code, code, "{address}: {error}");
            assert!(!error.remedy.is_empty(), "{address}");
        }
    }

    #[tokio::test]
    async fn a_prometheus_and_its_metrics_page_are_told_from_what_is_neither() {
        cachescope_lab::servers::install_crypto();
        let server =
            PrometheusServer::start(PrometheusOptions::default()).await.expect("prometheus is installed");
        let base = server.url().trim_end_matches('/').to_owned();
        let asked = tried(base.clone(), EndpointKind::Prometheus, HttpOptions::default()).await;
        assert!(asked.found && asked.detail.contains("Prometheus"), "{asked:?}");
        // A Prometheus shows its own metrics where exporters do.
        let asked = tried(base, EndpointKind::Metrics, HttpOptions::default()).await;
        assert!(
            asked.found && asked.url.ends_with("/metrics") && asked.detail.contains("series"),
            "{asked:?}"
        );
        // Bound and let go: nobody listens there now.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        for kind in [EndpointKind::Prometheus, EndpointKind::Metrics] {
            let asked = tried(format!("http://127.0.0.1:{port}"), kind, HttpOptions::default()).await;
            assert!(!asked.found && !asked.detail.is_empty(), "{asked:?}");
        }
    }

    #[test]
    fn the_host_of_the_first_server_is_the_one_that_is_looked_at() {
        for (address, host) in [
            ("redis://u:p@10.0.0.1:7000,10.0.0.2/3", "10.0.0.1"),
            ("redis+sentinel://[fd00::1]:26379/main", "fd00::1"),
            ("unix:///run/redis.sock", "127.0.0.1"),
            ("cache", "cache"),
        ] {
            assert_eq!(host_of(address).expect(address), host, "{address}");
        }
    }
}
