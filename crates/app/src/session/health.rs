//! Whether a deployment is reached: judged by how its sources are doing and by when data last arrived.

use cachescope_model::deployment::Deployment;
use cachescope_model::source::{SourceHealth, SourceId, SourceStatus};
use cachescope_model::time::Timestamp;

use crate::wire::ConnectionState;

/// How a deployment is reached, in one word and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// In one word.
    pub state: ConnectionState,
    /// What is the matter; empty where nothing is.
    pub detail: String,
    /// When data last arrived.
    pub last_data_at: Option<Timestamp>,
}

/// Judges. The main source is INFO where there is a Redis, otherwise the metrics: while it fails the
/// deployment is lost (or has never been reached); another one failing makes it partial.
pub(super) fn judge(
    deployment: &Deployment,
    sources: &[SourceStatus],
    last_data_at: Option<Timestamp>,
) -> Connection {
    let main: &[SourceId] = if deployment.redis_url.is_some() {
        &[SourceId::Info]
    } else {
        &[SourceId::Prometheus, SourceId::Metrics]
    };
    // A costly source that does part of what it could is a remark of its own, not the deployment's state.
    let bad = |status: &&SourceStatus| match status.health {
        SourceHealth::Failed | SourceHealth::Unavailable => true,
        SourceHealth::Partial => !status.source.spec().costly,
        _ => false,
    };
    let failed =
        |status: &&SourceStatus| matches!(status.health, SourceHealth::Failed | SourceHealth::Unavailable);
    let mains: Vec<&SourceStatus> = sources.iter().filter(|status| main.contains(&status.source)).collect();
    let working =
        mains.iter().any(|status| matches!(status.health, SourceHealth::Ok | SourceHealth::Partial));
    let main_failure = mains.iter().copied().find(|status| failed(status));
    let (state, detail) = match (main_failure, last_data_at) {
        (Some(status), None) if !working => (ConnectionState::Failed, sentence(status)),
        (Some(status), Some(_)) if !working => (ConnectionState::Lost, sentence(status)),
        (_, None) => (ConnectionState::Connecting, String::new()),
        (_, Some(_)) => match sources.iter().find(bad) {
            Some(status) => (ConnectionState::Partial, sentence(status)),
            None => (ConnectionState::Live, String::new()),
        },
    };
    Connection { state, detail, last_data_at }
}

fn sentence(status: &SourceStatus) -> String {
    let title = status.source.spec().title;
    if status.detail.is_empty() { format!("{title} does not work.") } else { status.detail.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cachescope_model::deployment::{DeploymentId, TlsFiles};

    fn deployment(redis: bool) -> Deployment {
        Deployment {
            id: DeploymentId("d".to_owned()),
            name: "d".to_owned(),
            environment: None,
            redis_url: redis.then(|| "redis://127.0.0.1:1".to_owned()),
            prometheus_url: Some("http://127.0.0.1:2".to_owned()),
            metrics_urls: Vec::new(),
            strategy: None,
            group: None,
            colour: None,
            tls: TlsFiles::default(),
            ssh: None,
            ssh_http: false,
        }
    }

    fn status(source: SourceId, health: SourceHealth) -> SourceStatus {
        SourceStatus {
            source,
            health,
            since: Timestamp(0),
            detail: format!("{} says so", source.name()),
            remedy: String::new(),
        }
    }

    #[test]
    fn the_main_source_decides_and_the_others_make_it_partial() {
        use ConnectionState as S;
        use SourceHealth as H;
        use SourceId::{Events, Info, Probe, Prometheus};
        let seen = Some(Timestamp(1));
        for (redis, sources, data, state, detail) in [
            (true, vec![], None, S::Connecting, ""),
            (true, vec![(Info, H::Failed)], None, S::Failed, "info says so"),
            (true, vec![(Info, H::Failed)], seen, S::Lost, "info says so"),
            (true, vec![(Info, H::Failed), (Prometheus, H::Ok)], seen, S::Lost, "info says so"),
            (true, vec![(Info, H::Ok)], seen, S::Live, ""),
            (true, vec![(Info, H::Ok), (Events, H::Unavailable)], seen, S::Partial, "events says so"),
            (true, vec![(Info, H::Ok), (Events, H::Off)], seen, S::Live, ""),
            (true, vec![(Info, H::Partial)], seen, S::Partial, "info says so"),
            (true, vec![(Info, H::Ok), (Probe, H::Partial)], seen, S::Live, ""),
            (true, vec![(Info, H::Ok), (Probe, H::Failed)], seen, S::Partial, "probe says so"),
            (true, vec![(Info, H::Starting)], None, S::Connecting, ""),
            (false, vec![(Prometheus, H::Ok)], seen, S::Live, ""),
            (false, vec![(Prometheus, H::Failed)], None, S::Failed, "prometheus says so"),
        ] {
            let sources: Vec<_> =
                sources.into_iter().map(|(source, health)| status(source, health)).collect();
            let judged = judge(&deployment(redis), &sources, data);
            assert_eq!((judged.state, judged.detail.as_str()), (state, detail), "{sources:?}");
        }
    }
}
