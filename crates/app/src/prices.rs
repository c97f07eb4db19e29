//! Prices: what switching a source on costs, said before it is done.

use cachescope_model::source::SourceId;
use cachescope_sources::redis::settings::{ChangePlan, PlannedChange, Setting};

use crate::custody::Guarded;
use crate::wire::{IssuedApproval, SettingPreview, SourcePrice};

/// The price of a source that changes no settings.
#[must_use]
pub fn of_source(source: SourceId) -> SourcePrice {
    let spec = source.spec();
    SourcePrice {
        source,
        sentence: format!("{} Costs {}.", spec.reads, spec.cost),
        commands: Vec::new(),
        settings: Vec::new(),
        put_back: String::new(),
        approval: None,
    }
}

/// The price of a change of settings.
#[must_use]
pub fn of_change(what: Guarded, plans: &[ChangePlan], approval: Option<IssuedApproval>) -> SourcePrice {
    let nothing = plans.iter().all(ChangePlan::is_empty);
    let mut price = of_source(what.source());
    if nothing && what == Guarded::Events {
        price.sentence =
            "Nothing has to be changed: the server announces misses, evictions and expirations.".to_owned();
        return price;
    }
    price.sentence = match what {
        Guarded::Events => "The server will announce every miss, eviction and expiration. That costs nothing on a \
                            hit and 0.5 to 1.3 µs of server time on a miss. Flags that are set stay set."
            .to_owned(),
        Guarded::SlowLog => "The server will log every command for 10 s of every minute, for 15 minutes at most. \
                             That costs 0.35 µs of server time on every command meanwhile. The entries that are in \
                             its slow log now are read first and shown here, but pushed out there."
            .to_owned(),
    };
    price.put_back = put_back_words(what, plans);
    price.commands = commands(what, plans);
    price.settings = changes(plans).map(|(plan, change)| preview(plan, change)).collect();
    price.approval = approval;
    price
}

fn changes(plans: &[ChangePlan]) -> impl Iterator<Item = (&ChangePlan, &PlannedChange)> {
    plans.iter().flat_map(|plan| plan.changes.iter().map(move |change| (plan, change)))
}

fn preview(plan: &ChangePlan, change: &PlannedChange) -> SettingPreview {
    SettingPreview {
        node: plan.node.to_string(),
        setting: change.setting.name().to_owned(),
        current: change.found.clone(),
        new: change.new.clone(),
    }
}

/// The commands, with their server where there are several.
fn commands(what: Guarded, plans: &[ChangePlan]) -> Vec<String> {
    let on = |plan: &ChangePlan, command: String| {
        if plans.len() > 1 { format!("{}: {command}", plan.node) } else { command }
    };
    let mut commands: Vec<_> = changes(plans).map(|(plan, change)| on(plan, change.command())).collect();
    if what == Guarded::SlowLog {
        let emptied = plans.iter().filter(|plan| plan.of(Setting::SlowLogThreshold).is_some());
        commands.extend(emptied.map(|plan| on(plan, "SLOWLOG RESET".to_owned())));
    }
    commands
}

fn put_back_words(what: Guarded, plans: &[ChangePlan]) -> String {
    let undone: Vec<_> = changes(plans).map(|(_, change)| change.undo()).collect();
    let when = match what {
        Guarded::Events => {
            "when this is restored, the source is switched off or Cachescope ends, by a kill too"
        }
        Guarded::SlowLog => {
            "after each 10 s, where the slow log is emptied of what was sampled; and when the source is \
             switched off or Cachescope ends, by a kill too"
        }
    };
    if undone.is_empty() {
        return String::new();
    }
    let only = match what {
        Guarded::Events => "Only what was added is taken away again; what others set meanwhile stays.",
        Guarded::SlowLog => "A value that somebody else sets meanwhile stays.",
    };
    format!("{} {when}. {only}", undone.join("; "))
}
