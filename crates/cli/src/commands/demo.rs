//! `cachescope demo`: local servers and a realistic workload, until it is told to end.
//!
//! With `--json` it prints one line of addresses for the program that started it, and ends when its standard
//! input closes: it never outlives that program, however that ends.

use std::io::Read as _;

use cachescope_app::demo::DemoAddresses;
use cachescope_lab::incident::Incident;
use cachescope_lab::{Lab, LabError, LabOptions};

use crate::arguments::{Common, Demo};
use crate::failure::Failure;
use crate::output;

/// Faster than this and the demo measures the machine's limits instead of the cache's.
const MOST_RATE: f64 = 100.0;

pub(crate) async fn run(command: Demo, common: &Common) -> Result<(), Failure> {
    if !(command.rate > 0.0 && command.rate <= MOST_RATE) {
        return Err(Failure::input(format!("--rate must be above 0 and at most {MOST_RATE}")));
    }
    let options =
        LabOptions { seed: command.seed, rate_factor: command.rate, ..LabOptions::new(&command.strategy) };
    // Interrupted while starting, it ends at once: what was started ends with the value that owns it.
    let lab = tokio::select! {
        started = Lab::start(options) => started.map_err(failure)?,
        () = ended(common.json) => return Ok(()),
    };
    let addresses = DemoAddresses {
        redis_url: lab.redis_url(),
        prometheus_url: lab.prometheus_url(),
        metrics_urls: lab.metrics_urls(),
        strategy: lab.strategy().to_owned(),
        control_url: Some(lab.control_url()),
    };
    if common.json {
        output::text(&(serde_json::to_string(&addresses)? + "\n"))?;
    } else {
        output::text(&words(&addresses))?;
    }
    ended(common.json).await;
    lab.shutdown().await;
    Ok(())
}

fn failure(error: LabError) -> Failure {
    match error {
        LabError::UnknownStrategy { .. } => Failure::input(error.to_string()),
        _ => Failure::server(error.to_string(), ""),
    }
}

/// Waits for an interrupt, a termination, or, where a program started us, for the end of standard input.
async fn ended(watch_input: bool) {
    let input_closed = async {
        if !watch_input {
            return std::future::pending().await;
        }
        // Reading standard input can't be cancelled, so it has a thread that nobody waits for at the end.
        let (closed, close) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut waste = [0u8; 64];
            while matches!(input.read(&mut waste), Ok(read) if read > 0) {}
            closed.send(())
        });
        // An error means that the thread is gone, and with it what it watched.
        if close.await.is_err() {
            tracing::warn!("standard input can't be watched");
        }
    };
    tokio::select! {
        () = input_closed => {}
        interrupted = tokio::signal::ctrl_c() => {
            if let Err(error) = interrupted {
                tracing::warn!(%error, "interrupts can't be received");
                std::future::pending::<()>().await;
            }
        }
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "terminations can't be received");
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

fn words(addresses: &DemoAddresses) -> String {
    let mut text = format!("Redis       {}\n", addresses.redis_url);
    if let Some(prometheus) = &addresses.prometheus_url {
        text.push_str(&format!("Prometheus  {prometheus}\n"));
    }
    for page in &addresses.metrics_urls {
        text.push_str(&format!("Metrics     {page}\n"));
    }
    text.push_str(&format!(
        "\nIn another terminal:\n  cachescope watch --environment development --redis {} {}--strategy {}\n",
        addresses.redis_url,
        addresses.prometheus_url.as_ref().map(|url| format!("--prometheus {url} ")).unwrap_or_default(),
        addresses.strategy,
    ));
    if let Some(control) = &addresses.control_url {
        text.push_str("\nIncidents to play, for a minute each:\n");
        for incident in Incident::ALL {
            text.push_str(&format!("  curl -X POST {control}/incidents/{}\n", incident.name()));
        }
    }
    text.push_str("\nCtrl+C ends it.\n");
    text
}
