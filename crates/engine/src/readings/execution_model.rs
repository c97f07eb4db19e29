//! Execution times of a namespace by model: the commands with which its keys are read, each as quick as it is on
//! all keys.

use cachescope_model::read_commands::READ_COMMANDS;
use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;

use super::execution::QUANTILES;
use super::reasons::Reason;
use super::view::View;
use crate::command_times::{OTHER_READS, SERVER_SCALE};
use crate::engine::Engine;
use crate::rows::Row;
use crate::window::{Counts, add_counts, total};

const SOURCE: &str = "LATENCY HISTOGRAM by command, and a sample of the commands";
const MEAN_SOURCE: &str = "INFO by command, and a sample of the commands";
const BY_KEY: &str =
    "no server tells execution time by key: the source slowlog samples it, the source commands models it";
/// Fewer sampled reads say too little about a namespace's commands.
const LEAST_READS: f64 = 20.0;
/// Where the times of more than this share of its reads are not known, neither are the namespace's.
const MOST_UNTIMED: f64 = 0.1;
/// Commands that are named in the assumption.
const MOST_NAMED: usize = 3;

/// Puts modelled execution times in the place of sampled ones that are missing, or says why there are neither.
pub(super) fn of_row(engine: &Engine, view: &View<'_>, row: &Row, readings: &mut Readings) {
    let kinds = QUANTILES.map(|(kind, _)| kind).into_iter().chain([R::ExecutionMeanSeconds]);
    let known = |kind: &R| readings.get(kind).is_some_and(|reading| reading.value.is_some());
    let missing: Vec<R> = kinds.filter(|kind| !known(kind)).collect();
    if missing.is_empty() {
        return;
    }
    let mut modelled = Readings::new();
    model(engine, view, row, &mut modelled);
    for kind in missing {
        // Where a sample was taken, what it lacks is said best in its own words.
        if let Some(reading) = modelled.get(&kind)
            && (reading.value.is_some() || !view.sampled.is_there())
        {
            readings.insert(kind, reading.clone());
        }
    }
}

fn model(engine: &Engine, view: &View<'_>, row: &Row, readings: &mut Readings) {
    let mix = row.reads.counts(&view.events_range);
    let reads: f64 = mix.iter().map(|(_, count)| count).sum();
    if reads < LEAST_READS {
        let why = too_few(view, reads);
        for kind in QUANTILES.map(|(kind, _)| kind).into_iter().chain([R::ExecutionMeanSeconds]) {
            readings.insert(kind, Reading::unavailable(why.clone()));
        }
        return;
    }
    let assumption = assumption(&mix, reads);
    let reading = |value: Option<f64>, source: &'static str, seconds: f64, otherwise: &dyn Fn() -> Reason| {
        match value {
            Some(value) => Reading::modelled(value, assumption.clone(), source, seconds),
            None => Reading::unavailable(otherwise()),
        }
    };
    let counts = mixed(&mix, reads, &view.times.by_command, &view.times.all);
    let no_quantile = || {
        view.times
            .why_not
            .clone()
            .unwrap_or_else(|| "the server timed none of its commands in this window".into())
    };
    for (kind, quantile) in QUANTILES {
        let found = counts.as_ref().and_then(|counts| SERVER_SCALE.quantile(quantile, counts));
        readings.insert(
            kind,
            reading(found.map(|found| found.seconds), SOURCE, view.times.seconds, &no_quantile),
        );
    }
    let no_mean = || "INFO commandstats tells no time of its commands in this window".into();
    let mean = mixed_mean(&mix, reads, &engine.command_times.sums(&view.server.range));
    readings.insert(R::ExecutionMeanSeconds, reading(mean, MEAN_SOURCE, view.server.seconds, &no_mean));
}

fn too_few(view: &View<'_>, reads: f64) -> Reason {
    if reads > 0.0 {
        return format!(
            "only {reads:.0} of its reads were sampled, which says too little about its commands"
        )
        .into();
    }
    match &view.reasons.sample {
        // Thousands of rows say the same: what is always the same costs no memory.
        state if state.is_fixed() => BY_KEY.into(),
        state => format!("{BY_KEY}; {state}; {}", view.reasons.slow_log).into(),
    }
}

/// "assumes that its GETs (92 %) and HGETs (8 %) take as long as those of all keys …"
fn assumption(mix: &[(u8, f64)], reads: f64) -> String {
    let mut mix = mix.to_vec();
    mix.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut names: Vec<_> = mix
        .iter()
        .take(MOST_NAMED)
        .map(|(command, count)| {
            let name = READ_COMMANDS.get(usize::from(*command)).map_or("other read", |name| *name);
            let share = count / reads * 100.0;
            if mix.len() == 1 {
                format!("{}s", name.to_uppercase())
            } else {
                format!("{}s ({share:.0} %)", name.to_uppercase())
            }
        })
        .collect();
    if mix.len() > MOST_NAMED {
        names.push("others".to_owned());
    }
    let last = names.pop().unwrap_or_default();
    let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    format!(
        "assumes that its {names} take as long as those of all keys, whatever the size of its values; from \
         {reads:.0} sampled reads"
    )
}

/// Counts by bucket as if the namespace's reads were drawn from their commands' times, 1 altogether.
pub(crate) fn mixed(mix: &[(u8, f64)], reads: f64, by_command: &[Counts], all: &Counts) -> Option<Counts> {
    let mut mixed = Counts::new();
    let mut timed = 0.0;
    for (command, count) in mix {
        let counts = if *command == OTHER_READS { Some(all) } else { by_command.get(usize::from(*command)) };
        let Some(counts) = counts.filter(|counts| total(counts) > 0.0) else { continue };
        add_counts(&mut mixed, counts, count / total(counts));
        timed += count;
    }
    (timed > 0.0 && timed >= (1.0 - MOST_UNTIMED) * reads).then_some(mixed)
}

/// Mean of the commands' means, each as often as the namespace is read with it.
fn mixed_mean(mix: &[(u8, f64)], reads: f64, sums: &[(f64, f64)]) -> Option<f64> {
    let all = sums.iter().fold((0.0, 0.0), |(calls, seconds), sum| (calls + sum.0, seconds + sum.1));
    let (mut timed, mut seconds) = (0.0, 0.0);
    for (command, count) in mix {
        let (calls, took) = sums.get(usize::from(*command)).copied().unwrap_or(all);
        if calls > 0.0 {
            timed += count;
            seconds += count * took / calls;
        }
    }
    (timed > 0.0 && timed >= (1.0 - MOST_UNTIMED) * reads).then(|| seconds / timed)
}
