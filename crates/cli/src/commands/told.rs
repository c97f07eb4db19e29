//! What `cachescope purge` and `cachescope warm` say of a preview and of a run.

use std::time::Duration;

use cachescope_actions::run::RunHandle;
use cachescope_actions::run_state::{RunPhase, RunState};
use cachescope_app::wire::PreviewedAction;
use serde_json::json;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::output;

pub(crate) fn preview_json(found: &PreviewedAction) -> Result<serde_json::Value, Failure> {
    let preview = &found.preview;
    let mut json = serde_json::to_value(preview)?;
    json["token"] = json!(found.approval.as_ref().map(|approval| &approval.token));
    json["expires_at"] = json!(found.approval.as_ref().map(|approval| approval.expires_at));
    json["wants"] = serde_json::to_value(&found.wants)?;
    // The plain figures under the plain names; how sure they are beside them.
    for (name, reading) in [
        ("bytes", &preview.bytes),
        ("reads_per_second", &preview.reads_per_second),
        ("predicted_extra_misses_per_second", &preview.predicted_extra_misses_per_second),
    ] {
        json[name] = json!(reading.value);
        json[format!("{name}_reading")] = serde_json::to_value(reading)?;
    }
    Ok(json)
}

pub(crate) fn preview_text(found: &PreviewedAction) -> String {
    let preview = &found.preview;
    let mut text = format!("{}\n\n", preview.plan.title);
    for (place, step) in preview.steps.iter().enumerate() {
        text.push_str(&format!("{}. {}: {} keys\n", place + 1, step.what, step.keys));
    }
    let number = |reading: &cachescope_model::reading::Reading| {
        reading.value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.0}"))
    };
    text.push_str(&format!(
        "\nkeys            {} of {}\nbytes           {}\nreads/s         {}\nextra misses/s  {}\n",
        preview.keys,
        preview.all_keys,
        number(&preview.bytes),
        number(&preview.reads_per_second),
        number(&preview.predicted_extra_misses_per_second),
    ));
    for warm in &preview.warms {
        text.push_str(&format!(
            "to load         {} keys by {} requests, {} are there, at least {:.0} s\n",
            warm.due, warm.requests, warm.there, warm.least_seconds
        ));
        for won in &warm.won_back {
            if let (Some(now), Some(after)) = (won.hit_rate, won.hit_rate_after) {
                text.push_str(&format!(
                    "hit rate        {}: {:.1} %, {:.1} % without the misses of these keys\n",
                    won.namespace,
                    now * 100.0,
                    after * 100.0
                ));
            }
        }
    }
    let types: Vec<_> = preview.types.iter().map(|(kind, keys)| format!("{kind} {keys}")).collect();
    text.push_str(&format!("types           {}\n", types.join(", ")));
    let used = |keys: &[cachescope_actions::preview_result::UsedKey]| {
        let first = keys.iter().take(3).map(|used| match (used.idle_seconds, used.uses) {
            (Some(seconds), _) => format!("{} (idle {seconds:.0} s)", used.key),
            (_, uses) => format!("{} ({} uses)", used.key, uses.unwrap_or(0)),
        });
        first.collect::<Vec<_>>().join(", ")
    };
    for (name, keys) in [("oldest", &preview.oldest), ("hottest", &preview.hottest)] {
        if !keys.is_empty() {
            text.push_str(&format!("{name:<15} {}\n", used(keys)));
        }
    }
    for name in preview.sample.iter().take(5) {
        text.push_str(&format!("                {name}\n"));
    }
    text.push('\n');
    for check in &preview.checks {
        text.push_str(&format!("{:<8} {}\n", format!("{:?}", check.verdict).to_lowercase(), check.sentence));
    }
    if let Some(approval) = &found.approval {
        let word = preview.plan.word();
        text.push_str(&format!(
            "\nWithin five minutes: cachescope {word} run --approve {}\n",
            approval.token
        ));
        if found.wants.armed {
            text.push_str("with --arm, --type-name and --reason, since this is production\n");
        }
    }
    text
}

/// Waits for the end. Ctrl-C ends the run after the exchange under way; what was removed stays in its undo file.
pub(crate) async fn until_ended(handle: &RunHandle, common: &Common) -> RunState {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut asked = false;
    loop {
        tokio::select! {
            state = handle.ended() => return state,
            pressed = tokio::signal::ctrl_c(), if !asked => {
                asked = true;
                if pressed.is_ok() {
                    handle.cancel();
                }
            }
            _ = tick.tick(), if !common.json => {
                let state = handle.state();
                crate::custody::say(&format!(
                    "run {}: {} of {}, {:.0}/s",
                    state.run,
                    done(&state),
                    state.expected,
                    state.keys_per_second
                ));
            }
        }
    }
}

/// What a run has done, in words.
fn done(state: &RunState) -> String {
    let counts = &state.counts;
    let warms = state.plan.steps.iter().any(|step| step.warm().is_some());
    let mut parts = Vec::new();
    if !warms || counts.removed > 0 {
        parts.push(format!("{} keys removed", counts.removed));
    }
    if warms {
        parts.push(format!("{} keys filled, {} were there", counts.filled, counts.there));
    }
    for (count, what) in [
        (counts.failed, "failed"),
        (counts.unfilled, "not there although the endpoint says so"),
        (counts.wrong_ttl, "with another time to live than documented"),
        (counts.claimed, "left to somebody else who was loading them"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

pub(crate) fn told(state: &RunState, common: &Common) -> Result<(), Failure> {
    if common.json {
        output::json(&json!({
            "run": state.run,
            "removed": state.counts.removed,
            "undo": state.undo,
            "phase": state.phase,
            "why": state.why,
            "expected": state.expected,
            "counts": state.counts,
            "undo_bytes": state.undo_bytes,
            "filled": state.counts.filled,
            "hit_rate_before": state.hit_rate_before,
            "hit_rate": state.hit_rate,
            "answers": state.answers,
        }))?;
    } else {
        output::text(&format!("run {}: {}\n", state.run, done(state)))?;
        for answer in &state.answers {
            output::text(&format!("{answer}\n"))?;
        }
        if state.undo.is_some() {
            output::text(&format!("to put them back: cachescope purge undo {}\n", state.run))?;
        }
    }
    match state.phase {
        RunPhase::Finished => Ok(()),
        RunPhase::Cancelled => Err(Failure::check(format!("run {} was called off", state.run))),
        _ => {
            Err(Failure::check(format!("run {} was halted: {}", state.run, state.why))
                .with_remedy(&state.remedy))
        }
    }
}
