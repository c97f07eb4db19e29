//! A deployment to act on, and records in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cachescope_actions::Failure;
use cachescope_actions::approval::{self, Approval, Bound};
use cachescope_actions::clock::ProcessClock;
use cachescope_actions::guards::Limits;
use cachescope_actions::plan::{Action, HowToRun, Plan, Scope};
use cachescope_actions::preview::{Surroundings, preview};
use cachescope_actions::preview_result::Preview;
use cachescope_actions::records::{AuditEntry, Recorded, Records};
use cachescope_actions::request::Tokens;
use cachescope_actions::run::{RunContext, RunHandle, StopRules, start};
use cachescope_actions::run_state::{RunRecord, UndoResult};
use cachescope_actions::selection::Attribution;
use cachescope_actions::servers::Servers;
use cachescope_actions::undo::{MasterKey, Part, Progress, UndoReader, UndoWriter, WhereKept, restore};
use cachescope_actions::warm::WarmContext;
use cachescope_model::deployment::{DeploymentId, Environment};
use cachescope_model::strategy::Strategy;
use cachescope_model::time::Timestamp;
use cachescope_sources::redis::topology::{Discovered, Discovery};
use cachescope_sources::redis::{ConnectOptions, RedisAddress};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct InMemory {
    pub(crate) approvals: Mutex<HashMap<String, String>>,
    pub(crate) runs: Mutex<HashMap<String, RunRecord>>,
    pub(crate) events: Mutex<Vec<String>>,
    /// Why, as the audit has it of the last event.
    pub(crate) why: Mutex<String>,
}

impl Records for InMemory {
    fn keep_approval<'a>(&'a self, token_hash: String, document: String) -> Recorded<'a, ()> {
        self.approvals.lock().insert(token_hash, document);
        Box::pin(std::future::ready(Ok(())))
    }
    fn take_approval<'a>(&'a self, token_hash: String) -> Recorded<'a, Option<String>> {
        let taken = self.approvals.lock().remove(&token_hash);
        Box::pin(std::future::ready(Ok(taken)))
    }
    fn save_run<'a>(&'a self, record: &'a RunRecord) -> Recorded<'a, ()> {
        self.runs.lock().insert(record.state.run.clone(), record.clone());
        Box::pin(std::future::ready(Ok(())))
    }
    fn audit<'a>(&'a self, entry: AuditEntry) -> Recorded<'a, ()> {
        self.events.lock().push(entry.event);
        entry.details["why"].as_str().unwrap_or_default().clone_into(&mut self.why.lock());
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(crate) struct Bench {
    pub(crate) found: Discovered,
    pub(crate) records: Arc<InMemory>,
    pub(crate) clock: Arc<ProcessClock>,
    pub(crate) attribution: Arc<Attribution>,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) key: MasterKey,
    pub(crate) most_bytes_of_a_key: u64,
    pub(crate) most_undo_bytes: u64,
    pub(crate) rules: Arc<dyn StopRules>,
    pub(crate) warm: WarmContext,
    pub(crate) tokens: Tokens,
}

pub(crate) fn fast() -> HowToRun {
    HowToRun { throttle: false, watch_between_waves_ms: 0, ..HowToRun::default() }
}

impl Bench {
    pub(crate) async fn on(url: &str) -> Self {
        Self::with(url, Strategy::default()).await
    }

    pub(crate) async fn with(url: &str, strategy: Strategy) -> Self {
        let address = RedisAddress::parse(url).expect("an address");
        let found = Discovery::new(address, ConnectOptions::default()).look().await;
        Self {
            found,
            records: Arc::default(),
            clock: Arc::default(),
            attribution: Arc::new(Attribution::new(Arc::new(strategy))),
            directory: tempfile::tempdir().expect("a directory"),
            key: MasterKey::generate(WhereKept::File).expect("a key"),
            most_bytes_of_a_key: 64 << 20,
            most_undo_bytes: 1 << 30,
            rules: Arc::new(()),
            warm: WarmContext::default(),
            tokens: Tokens::default(),
        }
    }

    pub(crate) fn plan(&self, scope: Scope, how: HowToRun) -> Plan {
        let deployment = DeploymentId("d".to_owned());
        Plan { deployment, title: "test".to_owned(), steps: vec![Action::Remove { scope }], how }
    }

    pub(crate) fn pattern(&self, pattern: &str, how: HowToRun) -> Plan {
        self.plan(Scope::Pattern { pattern: pattern.to_owned(), database: None }, how)
    }

    pub(crate) async fn servers(&self) -> Result<Servers, Failure> {
        Servers::inspect(&self.found).await
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            limits: Limits::of(Environment::Development),
            reads: None,
            undo: Ok("encrypted".to_owned()),
            most_bytes_of_a_key: self.most_bytes_of_a_key,
            most_undo_bytes: self.most_undo_bytes,
            stop_rules: self.rules.judge(),
            warm: self.warm.clone(),
            missed: Vec::new(),
            tokens: self.tokens.clone(),
        }
    }

    pub(crate) async fn preview(&self, plan: Plan) -> Result<Preview, Failure> {
        let servers = self.servers().await?;
        let around = self.surroundings();
        let cancel = CancellationToken::new();
        preview(plan, &servers, &self.attribution, &around, &Arc::default(), || Timestamp(0), &cancel).await
    }

    pub(crate) async fn bound(&self) -> Result<Bound, Failure> {
        Ok(Bound {
            deployment: DeploymentId("d".to_owned()),
            deployment_name: "test".to_owned(),
            environment: Environment::Development,
            operator: "ada@test".to_owned(),
            run_ids: self.servers().await?.run_ids(),
        })
    }

    pub(crate) async fn approve(&self, preview: &Preview) -> Result<Approval, Failure> {
        let bound = self.bound().await?;
        let records = self.records.as_ref();
        let issued = approval::issue(records, self.clock.as_ref(), bound.clone(), preview).await?;
        approval::redeem(records, self.clock.as_ref(), &issued.token, &bound, None).await
    }

    pub(crate) fn undo_path(&self, run: &str) -> std::path::PathBuf {
        self.directory.path().join(format!("{run}.undo"))
    }

    pub(crate) async fn context(&self, run: &str, undo: bool) -> Result<RunContext, Failure> {
        let writer = || UndoWriter::open(&self.undo_path(run), run, &self.key, self.most_undo_bytes);
        Ok(RunContext {
            servers: self.servers().await?,
            attribution: Arc::clone(&self.attribution),
            records: Arc::clone(&self.records) as Arc<dyn Records>,
            rules: Arc::clone(&self.rules),
            clock: Arc::clone(&self.clock) as Arc<dyn cachescope_actions::clock::Clock>,
            undo: if undo { Some(writer()?) } else { None },
            most_bytes_of_a_key: self.most_bytes_of_a_key,
            warm: self.warm.clone(),
            tokens: self.tokens.clone(),
        })
    }

    /// Previews, approves and starts.
    pub(crate) async fn start(&self, run: &str, plan: Plan) -> Result<RunHandle, Failure> {
        let undo = plan.how.undo;
        let preview = self.preview(plan).await?;
        let approval = self.approve(&preview).await?;
        start(approval, run.to_owned(), "because".to_owned(), self.context(run, undo).await?).await
    }

    pub(crate) async fn undo(&self, run: &str, part: &Part, now: i64) -> Result<UndoResult, Failure> {
        let path = self.undo_path(run);
        let open = |path: &Path| UndoReader::open(path, run, &self.key);
        let readers = (open(&path)?, open(&path)?);
        let (servers, progress) = (self.servers().await?, Progress::default());
        let who = (run, "ada@test");
        restore(readers, who, &servers, &self.attribution, part, &progress, || Timestamp(now)).await
    }
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_millis() as i64
}

/// Waits until something is so.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("it becomes true");
}
