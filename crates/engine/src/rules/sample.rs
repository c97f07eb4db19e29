//! One figure that a rule judges.

use cachescope_model::alert::AlertLabels;
use cachescope_model::reading::{Certainty, Reading};
use cachescope_model::strategy::Threshold;

/// A figure with what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is about.
    pub labels: AlertLabels,
    /// The figure; `None` or NaN is no data.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval, where it has one.
    pub low: Option<f64>,
    /// Upper end of its 95 % interval, where it has one.
    pub high: Option<f64>,
    /// How it was come by.
    pub certainty: Certainty,
    /// How many lookups are behind it, where that is known.
    pub lookups: Option<f64>,
    /// Why there is no figure, or what a modelled one assumes.
    pub remark: String,
}

/// How a sample stands to a threshold.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Past it, certainly enough to fire.
    Past,
    /// Its value is past it, but its interval reaches over it: says so.
    Uncertain(String),
    /// Not past it.
    Clear,
    /// There is nothing to judge: says why.
    NoData(String),
}

impl Sample {
    /// A figure without any doubt.
    #[must_use]
    pub fn exact(labels: AlertLabels, value: f64) -> Self {
        Self {
            labels,
            value: Some(value),
            low: None,
            high: None,
            certainty: Certainty::Exact,
            lookups: None,
            remark: String::new(),
        }
    }

    /// No figure, and why.
    #[must_use]
    pub fn missing(labels: AlertLabels, why: impl Into<String>) -> Self {
        Self {
            labels,
            value: None,
            low: None,
            high: None,
            certainty: Certainty::Unavailable,
            lookups: None,
            remark: why.into(),
        }
    }

    /// A reading as a sample.
    #[must_use]
    pub fn of_reading(labels: AlertLabels, reading: &Reading, lookups: Option<f64>) -> Self {
        Self {
            labels,
            value: reading.value,
            low: reading.low,
            high: reading.high,
            certainty: reading.certainty,
            lookups,
            remark: reading.reason.as_deref().unwrap_or_default().to_owned(),
        }
    }

    /// How it stands to `threshold`, of which `None` is always past, where it has `minimum_lookups` behind it.
    ///
    /// An estimated figure is certainly past a threshold where its whole 95 % interval is. A modelled figure has
    /// no interval: it counts by its value as every figure does in Prometheus (a quantile of a histogram is
    /// modelled too), and its assumption goes with the alert. Where it has bounds, they count as an interval.
    #[must_use]
    pub fn judge(&self, threshold: Option<Threshold>, minimum_lookups: u64) -> Verdict {
        let Some(value) = self.value else { return Verdict::NoData(self.remark.clone()) };
        let Some(threshold) = threshold else { return Verdict::Past };
        if value.is_nan() {
            return Verdict::NoData("its value is not a number, as a ratio without traffic is".to_owned());
        }
        if minimum_lookups > 0 {
            match self.lookups {
                Some(lookups) if lookups >= minimum_lookups as f64 => {}
                Some(lookups) => {
                    return Verdict::NoData(format!(
                        "{lookups:.0} lookups in the window, the rule wants {minimum_lookups}"
                    ));
                }
                None => {
                    return Verdict::NoData(format!(
                        "the rule wants {minimum_lookups} lookups in the window, and how many there were is not known"
                    ));
                }
            }
        }
        if !threshold.holds(value) {
            return Verdict::Clear;
        }
        let nearest = if threshold.comparison.upwards() { self.low } else { self.high };
        match nearest {
            Some(end) if !threshold.holds(end) => Verdict::Uncertain(format!(
                "the 95 % interval from {} to {} reaches over the threshold of {}",
                rounded(self.low.unwrap_or(value)),
                rounded(self.high.unwrap_or(value)),
                rounded(threshold.value),
            )),
            _ => Verdict::Past,
        }
    }

    /// What an alert says of a figure that is past its threshold.
    pub(super) fn assumption(&self) -> &str {
        if self.certainty == Certainty::Modelled { &self.remark } else { "" }
    }
}

/// Four significant digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use cachescope_model::strategy::Comparison;

    use super::*;

    const BELOW_80: Option<Threshold> = Some(Threshold { comparison: Comparison::Below, value: 0.8 });
    const ABOVE_10_MS: Option<Threshold> = Some(Threshold { comparison: Comparison::Above, value: 0.01 });

    fn reading(reading: &Reading) -> Sample {
        Sample::of_reading(AlertLabels::new(), reading, Some(500.0))
    }

    #[test]
    fn an_estimate_is_past_a_threshold_where_its_whole_interval_is() {
        let estimate = |value, low, high| reading(&Reading::estimated(value, low, high, "sample", 60.0));
        assert_eq!(estimate(0.7, 0.65, 0.75).judge(BELOW_80, 0), Verdict::Past);
        assert_eq!(estimate(0.85, 0.75, 0.9).judge(BELOW_80, 0), Verdict::Clear);
        assert_eq!(estimate(0.02, 0.011, 0.03).judge(ABOVE_10_MS, 0), Verdict::Past);
        let Verdict::Uncertain(why) = estimate(0.78, 0.7512, 0.81).judge(BELOW_80, 0) else {
            panic!("an interval that reaches over the threshold is not certain");
        };
        assert_eq!(why, "the 95 % interval from 0.7512 to 0.81 reaches over the threshold of 0.8");
        let touching = estimate(0.78, 0.75, 0.8).judge(BELOW_80, 0);
        assert!(matches!(touching, Verdict::Uncertain(_)), "{touching:?}: its end is not past");
    }

    #[test]
    fn no_figure_no_traffic_and_too_few_lookups_are_no_data_and_never_zero() {
        for sample in [
            reading(&Reading::unavailable("no traffic")),
            Sample::exact(AlertLabels::new(), f64::NAN),
            Sample { lookups: Some(99.0), ..Sample::exact(AlertLabels::new(), 0.1) },
            Sample { lookups: None, ..Sample::exact(AlertLabels::new(), 0.1) },
        ] {
            let verdict = sample.judge(BELOW_80, 100);
            assert!(matches!(&verdict, Verdict::NoData(why) if !why.is_empty()), "{sample:?}: {verdict:?}");
        }
        assert_eq!(
            Sample { lookups: Some(100.0), ..Sample::exact(AlertLabels::new(), 0.1) }.judge(BELOW_80, 100),
            Verdict::Past
        );
    }

    #[test]
    fn a_modelled_figure_counts_by_its_value_and_by_its_bounds_where_it_has_some() {
        let modelled = Reading::modelled(0.02, "linear within a bucket", "application counters", 60.0);
        let sample = reading(&modelled);
        assert_eq!(sample.judge(ABOVE_10_MS, 0), Verdict::Past);
        assert_eq!(sample.assumption(), "linear within a bucket");
        let bounded = Sample { low: Some(0.005), high: Some(0.025), ..sample };
        assert!(matches!(bounded.judge(ABOVE_10_MS, 0), Verdict::Uncertain(_)));
    }
}
