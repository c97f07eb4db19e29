//! The engine through its public door: tables of time and expectation for every rule.

mod applications;
mod causes;
mod counters;
mod events;
mod history;
mod keys;
mod nodes;
mod properties;
mod quiet_hour;
mod rules;
mod sampled;
mod scans;
mod support;
mod tenants;
mod times;
mod triage;
