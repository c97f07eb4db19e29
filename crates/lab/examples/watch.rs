//! Plays a strategy and prints what the ledger saw, every ten seconds:
//! `cargo run -p cachescope-lab --example watch -- STRATEGY [INCIDENT]`.
#![allow(clippy::print_stdout, reason = "printing is what this example is for")]

use std::time::Duration;

use cachescope_lab::incident::Incident;
use cachescope_lab::{Lab, LabError, LabOptions};

#[tokio::main]
async fn main() -> Result<(), LabError> {
    let mut arguments = std::env::args().skip(1);
    let strategy = arguments.next().unwrap_or_else(|| "multi-tenant-saas".to_owned());
    let incident = arguments.next().and_then(|name| Incident::named(&name));
    let lab = Lab::start(LabOptions::new(&strategy)).await?;
    println!("Redis {}, control {}", lab.redis_url(), lab.control_url());
    println!("Prometheus {}", lab.prometheus_url().unwrap_or_default());
    let mut before = lab.ledger_snapshot().await?;
    for round in 0_u32.. {
        if round == 3
            && let Some(incident) = incident
        {
            println!("\n--- {}", incident.description());
            lab.incidents().play(incident, Duration::from_secs(30))?;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            interrupted = tokio::signal::ctrl_c() => {
                if interrupted.is_ok() {
                    break;
                }
            }
        }
        let now = lab.ledger_snapshot().await?;
        let window = now.since(&before);
        println!(
            "\n{:46} {:>7} {:>6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8}",
            "", "lookups", "hit %", "expired", "evict", "del", "flush", "cold", "L1 hit", "p99 ms"
        );
        for (template, counts) in &window.namespaces {
            let misses = counts.misses;
            println!(
                "{template:46} {:>7} {:>6.1} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8.2}",
                counts.lookups(),
                counts.hit_rate().unwrap_or(f64::NAN) * 100.0,
                misses.expired,
                misses.evicted,
                misses.deleted,
                misses.flushed,
                misses.cold,
                counts.in_process_hits,
                counts.lookup_latency.quantile(0.99).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
            );
        }
        let total = window.total();
        let memory = lab.services()[0].cache().info("memory").await.unwrap_or_default();
        let used: Vec<&str> = memory
            .lines()
            .filter(|it| it.starts_with("used_memory:") || it.starts_with("maxmemory:"))
            .collect();
        println!(
            "total {} lookups, {:.1} % hits, unknown {}, loads {}, load p95 {:?}, turned away {}, failed {}, {used:?}",
            total.lookups(),
            total.hit_rate().unwrap_or(f64::NAN) * 100.0,
            total.misses.unknown,
            total.loads,
            total.load_latency.quantile(0.95),
            lab.traffic().turned_away(),
            lab.traffic().failed()
        );
        before = now;
    }
    lab.shutdown().await;
    Ok(())
}
