//! A cache with thousands of namespaces under traffic, and the file that documents them.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cachescope_lab::workload::Workload;
use cachescope_lab::{Lab, LabOptions};
use tempfile::TempDir;

/// Keys that each holds.
const KEYS: usize = 4;

/// Requests a second over all of them: with 5,000, each is asked for about every ten seconds.
const REQUESTS_PER_SECOND: f64 = 500.0;

/// The lab with its traffic and metrics pages, in this process, and a Redis beside it.
pub(crate) struct Many {
    pub(crate) lab: Lab,
    folder: TempDir,
}

impl Many {
    /// Starts the lab and fills the cache with so many namespaces.
    pub(crate) async fn start(namespaces: usize) -> Result<Self> {
        let mut workload = Workload::synthetic(namespaces, KEYS, REQUESTS_PER_SECOND);
        for namespace in workload.namespaces_mut() {
            namespace.prefilled = KEYS;
        }
        let options = LabOptions {
            workload: Some(workload),
            // Figures come from Redis and the metrics pages; Prometheus would only take from the same two cores.
            prometheus: false,
            ..LabOptions::new("synthetic")
        };
        let lab = Lab::start(options).await.context("the lab did not start")?;
        Ok(Self { lab, folder: tempfile::tempdir()? })
    }

    /// Writes the strategy that documents every namespace, and says where it is.
    pub(crate) fn strategy_file(&self) -> Result<PathBuf> {
        let mut text = "name = \"many\"\ntitle = \"Many namespaces\"\nsummary = \"A test of scale.\"\n\
                        hit_rate_target = 0.9\n"
            .to_owned();
        for namespace in self.lab.workload().namespaces() {
            write!(
                text,
                "\n[[namespace]]\nname = \"{label}\"\ntitle = \"Things of {label}\"\ntemplate = \"{template}\"\n\
                 ttl = \"1h\"\nhit_rate_target = 0.9\nmetric_labels = [\"{label}\"]\n",
                label = namespace.label,
                template = namespace.template.as_str(),
            )?;
        }
        let path = self.folder.path().join("many.toml");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}
