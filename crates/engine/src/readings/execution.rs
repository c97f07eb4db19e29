//! How long commands run inside the server, without queue and network.

use cachescope_model::reading::{Reading, Readings};
use cachescope_model::reading_kind::ReadingKind as R;

const BY_KEY: &str =
    "no server tells execution time by key; it needs a sample of the slow log, which is not taken yet";
const NO_QUANTILES: &str = "INFO tells means only; quantiles need LATENCY HISTOGRAM, which is not read yet";
const QUANTILES: [R; 3] = [R::ExecutionP50Seconds, R::ExecutionP95Seconds, R::ExecutionP99Seconds];

pub(super) fn of_row(readings: &mut Readings) {
    readings.insert(R::ExecutionMeanSeconds, Reading::unavailable(BY_KEY));
    for kind in QUANTILES {
        readings.insert(kind, Reading::unavailable(BY_KEY));
    }
}

/// `mean` is INFO's, over its read commands.
pub(super) fn of_instance(mean: Reading, readings: &mut Readings) {
    readings.insert(R::ExecutionMeanSeconds, mean);
    for kind in QUANTILES {
        readings.insert(kind, Reading::unavailable(NO_QUANTILES));
    }
}
