//! Series that stress rules: gaps, resets, flapping around a threshold, values exactly on it, NaN.

use cachescope_model::strategy::Strategy;

/// A small generator of numbers, the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// A generator of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("it is below a usize")
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// How a pair of counters moves for a while: hits and misses a step.
const PHASES: [(u64, u64); 9] =
    [(95, 5), (80, 20), (79, 21), (81, 19), (60, 40), (59, 41), (20, 80), (0, 0), (3, 1)];

/// All series that the rules of a strategy look at, `length` values each.
pub(crate) fn series_of(strategy: &Strategy, random: &mut Random, length: usize) -> Vec<(String, String)> {
    let metrics = strategy.metrics.as_ref().expect("the strategy names its metrics");
    let mut series = Vec::new();
    let matchers: String =
        metrics.matchers.iter().map(|(label, value)| format!("{label}=\"{value}\",")).collect();
    let layers = [metrics.redis_layer.as_deref().unwrap_or("redis"), "memory"];
    let label = metrics.namespace_label.as_deref().expect("it has a label for namespaces");
    let layer_label = metrics.layer_label.as_deref().expect("it has a label for layers");
    let mut labels: Vec<String> = strategy
        .namespaces
        .iter()
        .flat_map(|namespace| match namespace.metric_labels.is_empty() {
            true => vec![namespace.name.clone()],
            false => namespace.metric_labels.clone(),
        })
        .collect();
    // Those that no rule names need not all be there.
    let named = |label: &String| {
        strategy.rules.iter().any(|rule| match &rule.subject {
            cachescope_model::strategy::Subject::Namespaces { namespaces, .. } => {
                namespaces.iter().any(|name| {
                    strategy
                        .namespace(name)
                        .is_some_and(|it| it.metric_labels.contains(label) || it.name == *label)
                })
            }
            _ => false,
        })
    };
    let (wanted, others): (Vec<_>, Vec<_>) = labels.drain(..).partition(named);
    labels = wanted.into_iter().chain(others.into_iter().take(1)).collect();
    for layer in layers {
        for value in &labels {
            let (hits, misses) = lookups(random, length);
            let own = format!("{matchers}{layer_label}=\"{layer}\",{label}=\"{value}\"");
            series.push((format!("{}{{{own}}}", metrics.hits), hits));
            series.push((format!("{}{{{own}}}", metrics.misses), misses));
        }
    }
    if let Some(base) = &metrics.latency {
        let operation: String =
            metrics.read_operation.iter().map(|(label, value)| format!(",{label}=\"{value}\"")).collect();
        let own = format!("{matchers}{layer_label}=\"{}\"{operation}", layers[0]);
        let to_unit = 1.0 / metrics.latency_unit_seconds;
        series.extend(histogram(base, &own, to_unit, random, length));
    }
    for base in ["http_request_duration_seconds", "db_query_duration_seconds"] {
        series.extend(histogram(base, "job=\"api\"", 10.0, random, length));
    }
    for (name, levels) in [
        ("db_cpu_ratio", [0.3, 0.7, 0.71, 0.9]),
        ("load_ratio", [0.3, 0.5, 0.500_000_1, 0.7]),
        ("redis_up", [1.0, 1.0, 0.0, 1.0]),
        ("redis_memory_used_bytes", [5e8, 9e8, 9.000_000_1e8, 9.9e8]),
    ] {
        series.push((format!("{name}{{job=\"api\"}}"), gauge(random, length, &levels)));
    }
    let limit = if random.once_in(3) { "0" } else { "1e9" };
    series.push(("redis_memory_max_bytes".to_owned(), format!("{limit}x{}", length - 1)));
    series.push(("redis_total_system_memory_bytes".to_owned(), format!("1e9x{}", length - 1)));
    for (name, steps) in [
        ("redis_evicted_keys_total", [0, 1, 10, 25]),
        ("redis_keyspace_hits_total", [80, 80, 80, 0]),
        ("redis_keyspace_misses_total", [20, 20, 20, 0]),
        ("redis_error_count", [0, 0, 0, 1]),
    ] {
        series.push((name.to_owned(), counter(random, length, &steps)));
    }
    series
}

/// Hits and misses that scrape together: gaps and resets fall on both.
fn lookups(random: &mut Random, length: usize) -> (String, String) {
    let (mut hits, mut misses) = (random.below(2) as u64 * 1_000, random.below(2) as u64 * 1_000);
    let mut texts = (Vec::new(), Vec::new());
    let mut phase = PHASES[0];
    for _ in 0..length {
        if random.once_in(6) {
            phase = PHASES[random.below(PHASES.len())];
        }
        if random.once_in(40) {
            (hits, misses) = (0, 0);
        }
        (hits, misses) = (hits + phase.0, misses + phase.1);
        match odd(random) {
            Some(odd) => {
                texts.0.push(odd.to_owned());
                texts.1.push(if random.once_in(4) { misses.to_string() } else { odd.to_owned() });
            }
            None => {
                texts.0.push(hits.to_string());
                texts.1.push(misses.to_string());
            }
        }
    }
    (texts.0.join(" "), texts.1.join(" "))
}

/// Now and then something that is no ordinary value.
fn odd(random: &mut Random) -> Option<&'static str> {
    match random.below(60) {
        0 => Some("stale"),
        1 | 2 => Some("_"),
        3 => Some("_ _ _"),
        4 => Some("NaN"),
        _ => None,
    }
}

fn gauge(random: &mut Random, length: usize, levels: &[f64]) -> String {
    let mut level = levels[0];
    let values = (0..length).map(|_| {
        if random.once_in(4) {
            level = levels[random.below(levels.len())];
        }
        odd(random).map_or_else(|| level.to_string(), str::to_owned)
    });
    values.collect::<Vec<_>>().join(" ")
}

fn counter(random: &mut Random, length: usize, steps: &[u64]) -> String {
    let (mut count, mut step) = (0, steps[0]);
    let values = (0..length).map(|_| {
        if random.once_in(5) {
            step = steps[random.below(steps.len())];
        }
        if random.once_in(50) {
            count = 0;
        }
        count += step;
        odd(random).map_or_else(|| count.to_string(), str::to_owned)
    });
    values.collect::<Vec<_>>().join(" ")
}

/// Buckets at 5 ms, 10 ms and 50 ms (times `scale` of the metric's unit), sum and count.
fn histogram(
    base: &str,
    labels: &str,
    scale: f64,
    random: &mut Random,
    length: usize,
) -> Vec<(String, String)> {
    let bounds = [0.005 * scale, 0.01 * scale, 0.05 * scale];
    let mut counts = [0u64; 4];
    let mut texts: [Vec<String>; 6] = Default::default();
    let (mut sum, mut slow) = (0.0, 0);
    for _ in 0..length {
        if random.once_in(5) {
            slow = [0, 0, 1, 2, 50, 90][random.below(6)];
        }
        if random.once_in(60) {
            (counts, sum) = ([0; 4], 0.0);
        }
        let fast = 100 - slow;
        for (place, add) in [(0, fast / 2), (1, fast), (2, fast + slow / 2), (3, 100)] {
            counts[place] += add;
        }
        sum += fast as f64 * bounds[0] + slow as f64 * bounds[2];
        let values: Vec<String> =
            counts.iter().map(u64::to_string).chain([sum.to_string(), counts[3].to_string()]).collect();
        let odd = odd(random);
        for (text, value) in texts.iter_mut().zip(values) {
            text.push(odd.map_or(value, str::to_owned));
        }
    }
    let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    let mut names: Vec<String> =
        bounds.map(|bound| format!("{base}_bucket{{{labels},le=\"{bound}\"}}")).collect();
    names.push(format!("{base}_sum{{{labels}}}"));
    names.push(format!("{base}_count{{{labels}}}"));
    names.into_iter().zip(texts).map(|(name, text)| (name, text.join(" "))).collect()
}
