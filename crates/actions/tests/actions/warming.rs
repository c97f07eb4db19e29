//! Filling by requests: an endpoint that counts, and endpoints that misbehave.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use cachescope_actions::FailureKind;
use cachescope_actions::guards::refusal;
use cachescope_actions::plan::{Action, HowToRun, KeyName, Plan, Scope};
use cachescope_actions::run_state::{RunCounts, RunPhase, RunState};
use cachescope_actions::warm::{Endpoint, SecretHeader, Success, Warm, WarmLimits, WarmWay};
use cachescope_lab::http::HttpServer;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::DeploymentId;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;

use crate::support::{Bench, fast, until};

/// How the endpoint behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Fills,
    /// Fails so often for each key, then fills.
    FailsFirst(u64),
    Fails,
    Hangs,
    Redirects,
    Lies,
    /// Answers with so many bytes.
    Answers(usize),
    Denies,
    /// Asks once to be left alone for a second.
    Busy,
    /// Fills, and takes its time for it.
    Dawdles,
    /// Fills, and answers with so many bytes.
    FillsAndTells(usize),
    /// Fills for so many milliseconds.
    FillsFor(u64),
}

struct Application {
    redis: MultiplexedConnection,
    way: Mutex<Way>,
    loads: Mutex<HashMap<String, u64>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    busy: AtomicU64,
    fences: Mutex<Vec<String>>,
    takes: Duration,
}

impl Application {
    async fn start(server: &RedisServer, way: Way) -> (Arc<Self>, HttpServer) {
        cachescope_lab::servers::install_crypto();
        let application = Arc::new(Self {
            redis: server.connection().await.expect("it answers"),
            way: Mutex::new(way),
            loads: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            busy: AtomicU64::new(0),
            fences: Mutex::default(),
            takes: Duration::from_millis(2),
        });
        let routes = Router::new().route("/load/{id}", get(load)).with_state(Arc::clone(&application));
        (application, HttpServer::start(routes).await.expect("it listens"))
    }

    fn loads(&self) -> u64 {
        self.loads.lock().values().sum()
    }

    fn most_loads_of_a_key(&self) -> u64 {
        self.loads.lock().values().copied().max().unwrap_or(0)
    }
}

async fn load(
    State(application): State<Arc<Application>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let fence = headers.get("cachescope-fence").and_then(|value| value.to_str().ok()).unwrap_or_default();
    application.fences.lock().push(fence.to_owned());
    let now = application.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    application.most_under_way.fetch_max(now, Ordering::SeqCst);
    let tries = {
        let mut loads = application.loads.lock();
        let count = loads.entry(id.clone()).or_default();
        *count += 1;
        *count
    };
    let way = *application.way.lock();
    let takes = if way == Way::Dawdles { Duration::from_millis(150) } else { application.takes };
    tokio::time::sleep(takes).await;
    let answer = match way {
        Way::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Way::FailsFirst(times) if tries <= times => StatusCode::BAD_GATEWAY.into_response(),
        Way::Hangs => std::future::pending().await,
        Way::Redirects => {
            (StatusCode::FOUND, [(header::LOCATION, "http://elsewhere.invalid/")]).into_response()
        }
        Way::Lies => StatusCode::OK.into_response(),
        Way::Answers(bytes) => "x".repeat(bytes).into_response(),
        Way::Denies => StatusCode::UNAUTHORIZED.into_response(),
        Way::Busy if application.busy.fetch_add(1, Ordering::SeqCst) == 0 => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response()
        }
        Way::Fills
        | Way::FailsFirst(_)
        | Way::Busy
        | Way::Dawdles
        | Way::FillsAndTells(_)
        | Way::FillsFor(_) => {
            let mut redis = application.redis.clone();
            let set: redis::RedisResult<()> = redis::cmd("SET")
                .arg(format!("item:{id}"))
                .arg(format!("loaded {tries}"))
                .arg("PX")
                .arg(if let Way::FillsFor(lives_ms) = way { lives_ms } else { 60_000 })
                .query_async(&mut redis)
                .await;
            // As many applications do: what can't be stored is answered all the same.
            drop(set);
            match way {
                Way::FillsAndTells(bytes) => "x".repeat(bytes).into_response(),
                _ => StatusCode::OK.into_response(),
            }
        }
    };
    application.under_way.fetch_sub(1, Ordering::SeqCst);
    answer
}

fn endpoint(front: &HttpServer) -> Endpoint {
    Endpoint {
        method: "GET".to_owned(),
        url: format!("{}/load/{{id}}", front.url()),
        headers: BTreeMap::new(),
        body: String::new(),
        secret: None,
        private_addresses: true,
    }
}

fn gentle() -> WarmLimits {
    WarmLimits { per_minute: 60_000, concurrency: 8, timeout_ms: 20_000, ..WarmLimits::default() }
}

fn warm(endpoint: Endpoint, keys: impl Iterator<Item = usize>, limits: WarmLimits) -> Warm {
    Warm {
        what: "items".to_owned(),
        way: WarmWay::RequestEach {
            endpoint,
            template: "item:{id}".to_owned(),
            keys: keys.map(|number| KeyName(format!("item:{number}").into_bytes())).collect(),
            database: 0,
        },
        limits,
        success: Success { ttl_ms: Some(60_000), ..Success::default() },
        namespaces: vec!["item:{id}".to_owned()],
    }
}

fn plan(action: Action) -> Plan {
    Plan {
        deployment: DeploymentId("d".to_owned()),
        title: "test".to_owned(),
        steps: vec![action],
        how: fast(),
    }
}

async fn server() -> RedisServer {
    RedisServer::start(RedisOptions::default()).await.expect("redis-server is installed")
}

async fn set(server: &RedisServer, numbers: impl Iterator<Item = usize>) {
    let mut connection = server.connection().await.expect("it answers");
    let mut pipe = redis::pipe();
    for number in numbers {
        pipe.cmd("SET").arg(format!("item:{number}")).arg("before").arg("PX").arg(600_000);
    }
    pipe.exec_async(&mut connection).await.expect("set");
}

async fn run(bench: &Bench, name: &str, plan: Plan) -> RunState {
    bench.start(name, plan).await.expect("it starts").ended().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_missing_are_loaded_once_and_those_that_are_there_are_left_alone() {
    let server = server().await;
    set(&server, 0..50).await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let bench = Bench::on(&server.url()).await;
    let plan = plan(Action::Warm { warm: warm(endpoint(&front), 0..300, gentle()) });
    let preview = bench.preview(plan.clone()).await.expect("looked at");
    assert_eq!((preview.keys, preview.warms[0].there, application.loads()), (250, 50, 0));
    assert_eq!(refusal(&preview.checks), None);
    let state = run(&bench, "1", plan).await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    let counts = state.counts;
    assert_eq!((counts.filled, counts.there, counts.wrong_ttl, counts.failed), (250, 50, 0, 0), "{counts:?}");
    assert_eq!((application.loads(), application.most_loads_of_a_key()), (250, 1));
    assert!(application.most_under_way.load(Ordering::SeqCst) <= 8, "no more at a time than the plan says");
    assert_eq!(bench.records.events.lock().as_slice(), ["warm.started", "warm.finished"]);
    let mut connection = server.connection().await.expect("it answers");
    let left: Vec<String> =
        redis::cmd("KEYS").arg("cachescope:*").query_async(&mut connection).await.expect("listed");
    assert!(left.iter().all(|key| key.contains("fence")), "locks and claims are given back: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_run_one_plan_at_once_the_second_waits_or_leaves_and_no_key_is_loaded_twice() {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let plan = plan(Action::Warm { warm: warm(endpoint(&front), 0..200, gentle()) });
    let (one, mut two) = (Bench::on(&server.url()).await, Bench::on(&server.url()).await);
    let (first, second) =
        (one.preview(plan.clone()).await.expect("fine"), two.preview(plan.clone()).await.expect("fine"));
    let (first, second, third) = (
        one.approve(&first).await.expect("approved"),
        two.approve(&second).await.expect("approved"),
        two.approve(&second).await.expect("approved"),
    );
    let context = one.context("1", false).await.expect("a context");
    let first = cachescope_actions::run::start(first, "1".to_owned(), String::new(), context)
        .await
        .expect("it starts");
    let context = two.context("3", false).await.expect("a context");
    let leaves = cachescope_actions::run::start(third, "3".to_owned(), String::new(), context).await;
    assert_eq!(leaves.expect_err("the first is at it").kind, FailureKind::Locked);
    two.warm.wait_for_lock = Duration::from_secs(60);
    let context = two.context("2", false).await.expect("a context");
    let second = cachescope_actions::run::start(second, "2".to_owned(), String::new(), context)
        .await
        .expect("its turn comes");
    let (first, second) = (first.ended().await, second.ended().await);
    assert_eq!((first.counts.filled, second.counts.filled, second.counts.there), (200, 0, 200));
    assert_eq!(application.most_loads_of_a_key(), 1);
    let fences: std::collections::HashSet<_> = application.fences.lock().iter().cloned().collect();
    assert_eq!(fences, ["1".to_owned()].into(), "only the first has sent anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_plans_that_share_keys_load_each_of_them_once() {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let (one, two) = (Bench::on(&server.url()).await, Bench::on(&server.url()).await);
    let of =
        |keys: std::ops::Range<usize>| plan(Action::Warm { warm: warm(endpoint(&front), keys, gentle()) });
    let first = one.start("1", of(0..200)).await.expect("it starts");
    let second = two.start("2", of(1..200)).await.expect("another plan starts beside it");
    let (first, second) = (first.ended().await, second.ended().await);
    assert_eq!((first.phase, second.phase), (RunPhase::Finished, RunPhase::Finished), "{}", second.why);
    assert_eq!((application.loads(), application.most_loads_of_a_key()), (200, 1));
    let all = second.counts;
    // What the first is loading is waited for.
    assert_eq!((all.filled + all.there, all.claimed), (199, 0), "{all:?}");
}

/// The key of a claim, which is made here as somebody else would make it.
fn claim_of(key: &str) -> String {
    let mut of = 0_u16.to_le_bytes().to_vec();
    of.extend(key.as_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA256, &of);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("cachescope:lock:load:{}", &hex[..32])
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_one_who_died_had_claimed_are_loaded_when_their_claims_end_and_what_stays_claimed_is_counted()
 {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let mut connection = server.connection().await.expect("it answers");
    for (number, lives_ms) in [(3, "2500"), (70, "3000"), (71, "3000"), (99, "")] {
        let mut set = redis::cmd("SET");
        set.arg(claim_of(&format!("item:{number}"))).arg("somebody");
        if !lives_ms.is_empty() {
            set.arg("PX").arg(lives_ms);
        }
        let () = set.query_async(&mut connection).await.expect("set");
    }
    let bench = Bench::on(&server.url()).await;
    let run = bench
        .start("1", plan(Action::Warm { warm: warm(endpoint(&front), 0..100, gentle()) }))
        .await
        .expect("it starts");
    // One of them is filled by its holder after all.
    until(|| run.state().counts.filled == 96).await;
    set(&server, 71..72).await;
    // A pause holds while claims are waited for.
    run.pause();
    until(|| run.state().phase == RunPhase::Paused).await;
    let before = application.loads();
    run.go_on();
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    let counts = state.counts;
    assert_eq!((counts.filled, counts.there, counts.claimed, counts.failed), (98, 1, 1, 0), "{counts:?}");
    assert_eq!((before, application.loads(), application.most_loads_of_a_key()), (96, 98, 1));
    assert_eq!(run.record().waiting, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_kept_while_a_slow_endpoint_is_at_it_and_outlive_what_was_broken_off() {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Hangs).await;
    let bench = Bench::on(&server.url()).await;
    // Claims that nobody renews live for this deadline and ten seconds.
    let limits = WarmLimits { concurrency: 2, timeout_ms: 30_000, ..gentle() };
    let run = bench
        .start("1", plan(Action::Warm { warm: warm(endpoint(&front), 0..5, limits) }))
        .await
        .expect("it starts");
    until(|| application.loads() == 2).await;
    let mut connection = server.connection().await.expect("it answers");
    let mut left = async || -> Vec<i64> {
        let mut pipe = redis::pipe();
        (0..5).for_each(|number| {
            pipe.cmd("PTTL").arg(claim_of(&format!("item:{number}")));
        });
        pipe.query_async(&mut connection).await.expect("asked")
    };
    let first = left().await;
    assert!(first.iter().all(|left| (1..=40_000).contains(left)), "{first:?}");
    let renewed = async {
        // Each look finds less left, until they are renewed.
        let mut before = first[4];
        loop {
            let now = left().await[4];
            if now > before {
                return;
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), renewed).await.expect("they are renewed");
    run.cancel();
    assert_eq!(run.ended().await.phase, RunPhase::Cancelled);
    let mut sent: Vec<usize> = application.loads.lock().keys().filter_map(|id| id.parse().ok()).collect();
    sent.sort_unstable();
    let after = left().await;
    for number in 0..5 {
        // What was sent may be worked on still; what was not is free again.
        assert_eq!(after[number] > 0, sent.contains(&number), "{number}: {after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_misbehaves_halts_the_run_in_one_sentence_that_the_audit_keeps() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    for (number, (way, said, most)) in [
        (Way::Fails, "status 500", 20),
        (Way::Hangs, "within 0.2 s", 20),
        (Way::Redirects, "redirects to the host", 8),
        (Way::Lies, "is not there", 70),
        (Way::Answers(100_000), "larger than", 20),
        (Way::Denies, "status 401", 8),
    ]
    .into_iter()
    .enumerate()
    {
        let (application, front) = Application::start(&server, way).await;
        let limits = WarmLimits { timeout_ms: 200, retries: 0, most_bytes_of_answer: 10_000, ..gentle() };
        let state = run(
            &bench,
            &number.to_string(),
            plan(Action::Warm { warm: warm(endpoint(&front), 0..500, limits) }),
        )
        .await;
        assert_eq!(state.phase, RunPhase::Halted, "{way:?}");
        assert!(state.why.contains(said), "{way:?}: {}", state.why);
        assert_eq!(state.counts.filled, 0, "{way:?}");
        assert!(application.loads() <= most, "{way:?}: {} requests", application.loads());
        assert_eq!(bench.records.events.lock().last().map(String::as_str), Some("warm.halted"), "{way:?}");
        assert_eq!(*bench.records.why.lock(), state.why, "{way:?}");
        assert!(!state.why.contains(". ") && !state.remedy.is_empty(), "one sentence: {}", state.why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_takes_its_time_is_given_it_and_one_that_tells_too_much_in_all_is_left() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    let (application, front) = Application::start(&server, Way::Dawdles).await;
    let limits = WarmLimits { concurrency: 3, ..gentle() };
    let state = run(&bench, "1", plan(Action::Warm { warm: warm(endpoint(&front), 0..20, limits) })).await;
    assert_eq!((state.phase, state.counts.filled), (RunPhase::Finished, 20), "{}", state.why);
    assert_eq!((application.loads(), application.most_under_way.load(Ordering::SeqCst)), (20, 3));

    let (application, front) = Application::start(&server, Way::FillsAndTells(5_000)).await;
    let limits = WarmLimits { most_bytes: 50_000, ..gentle() };
    let state = run(&bench, "2", plan(Action::Warm { warm: warm(endpoint(&front), 100..600, limits) })).await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("more than 50000 bytes"), "{}", state.why);
    assert!(application.loads() < 40, "{} requests", application.loads());
    assert_eq!(*bench.records.why.lock(), state.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_beyond_their_number_halt_the_run_although_their_share_is_small() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    let (_, front) = Application::start(&server, Way::FailsFirst(1)).await;
    // Each of the first tries fails: 100 % may, but no more than three.
    let limits = WarmLimits { errors_percent: 100, most_errors: 3, retries: 0, ..gentle() };
    let state = run(&bench, "1", plan(Action::Warm { warm: warm(endpoint(&front), 0..100, limits) })).await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("more than the plan allows"), "{}", state.why);
    // The fourth halts it; those that were under way may have failed too.
    assert!((4..=11).contains(&state.counts.failed), "{:?}", state.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_certificate_nobody_vouches_for_is_sent_nothing() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    // Whatever speaks TLS will do: it does not come to HTTP.
    let tls = RedisOptions { tls: true, ..RedisOptions::default() };
    let other = RedisServer::start(tls).await.expect("redis-server is installed");
    let (_, front) = Application::start(&server, Way::Fills).await;
    let mut endpoint = endpoint(&front);
    endpoint.url = format!("https://127.0.0.1:{}/load/{{id}}", other.port());
    let state = run(&bench, "1", plan(Action::Warm { warm: warm(endpoint, 0..50, gentle()) })).await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("certificate"), "{}", state.why);
    assert!(state.counts.requests <= 8, "{:?}", state.counts);
    assert_eq!(*bench.records.why.lock(), state.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_warm_has_nothing_under_way_and_a_halted_one_goes_on_where_it_stood() {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let bench = Bench::on(&server.url()).await;
    // What is broken off stays claimed for this long and ten seconds.
    let limits = WarmLimits { retries: 0, timeout_ms: 3_000, ..gentle() };
    let run = bench
        .start("1", plan(Action::Warm { warm: warm(endpoint(&front), 0..300, limits) }))
        .await
        .expect("it starts");
    until(|| application.loads() >= 30).await;
    run.pause();
    until(|| run.state().phase == RunPhase::Paused).await;
    let paused = application.loads();
    assert_eq!(application.under_way.load(Ordering::SeqCst), 0);
    assert!(paused < 300, "it was paused before its end");
    *application.way.lock() = Way::Fails;
    assert_eq!(application.loads(), paused);
    run.go_on();
    let halted = run.ended().await;
    assert_eq!(halted.phase, RunPhase::Halted);
    assert!(halted.counts.filled >= 30 && halted.counts.filled <= paused, "{:?}", halted.counts);
    let mut connection = server.connection().await.expect("it answers");
    let mut there = async || -> Vec<String> {
        redis::cmd("KEYS").arg("item:*").query_async(&mut connection).await.expect("listed")
    };
    let before = there().await;
    assert_eq!(before.len() as u64, halted.counts.filled);
    *application.way.lock() = Way::Fills;
    let context = bench.context("1", false).await.expect("a context");
    let resumed = cachescope_actions::run::resume(run.record(), context).await.expect("it goes on");
    let state = resumed.ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert_eq!((there().await.len(), state.counts.filled), (300, 300));
    let loads = application.loads.lock();
    let once = before.iter().all(|key| loads[key.trim_start_matches("item:")] == 1);
    assert!(once, "what was filled before is not loaded again");
    let events = bench.records.events.lock().clone();
    let words =
        ["warm.started", "warm.paused", "warm.resumed", "warm.halted", "warm.resumed", "warm.finished"];
    assert_eq!(events, words);
}

/// A hit rate that stays where it is.
struct Stuck;

impl cachescope_actions::run::StopRules for Stuck {
    fn judge(&self) -> Vec<cachescope_actions::run_state::StopRuleState> {
        Vec::new()
    }

    fn hit_rate(&self, _namespaces: &[String]) -> Option<f64> {
        Some(0.5)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "waits 90 s for a hit rate that does not rise; cargo test -p cachescope-actions --test actions -- --ignored rise"]
async fn a_warm_that_does_not_make_the_hit_rate_rise_halts() {
    let server = server().await;
    let (_, front) = Application::start(&server, Way::Fills).await;
    let mut bench = Bench::on(&server.url()).await;
    bench.rules = Arc::new(Stuck);
    let limits = WarmLimits { per_minute: 120, ..gentle() };
    let state = run(&bench, "1", plan(Action::Warm { warm: warm(endpoint(&front), 0..1_000, limits) })).await;
    assert_eq!(state.phase, RunPhase::Halted);
    assert!(state.why.contains("the hit rate does not rise, it is 50.0 %"), "{}", state.why);
    // Two a second for a minute and a half; the last ones may not have been looked at.
    assert!(state.counts.filled >= 150, "{:?}", state.counts);
    assert_eq!(state.counts.wrong_ttl, 0, "what a key has lived already belongs to its time to live");
    assert_eq!(*bench.records.why.lock(), state.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_live_shorter_than_a_page_of_requests_takes_are_seen_while_they_live() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    let (_, front) = Application::start(&server, Way::FillsFor(5_000)).await;
    let limits = WarmLimits { per_minute: 300, ..gentle() };
    let mut warm = warm(endpoint(&front), 0..50, limits);
    warm.success.ttl_ms = Some(5_000);
    let state = run(&bench, "1", plan(Action::Warm { warm })).await;
    let RunCounts { filled, unfilled, wrong_ttl, .. } = state.counts;
    assert_eq!((state.phase, filled, unfilled, wrong_ttl), (RunPhase::Finished, 50, 0, 0), "{}", state.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_a_while_is_repeated_a_bounded_number_of_times_and_a_wish_to_wait_is_honoured() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    let (application, front) = Application::start(&server, Way::FailsFirst(1)).await;
    let state = run(&bench, "1", plan(Action::Warm { warm: warm(endpoint(&front), 0..20, gentle()) })).await;
    assert_eq!((state.phase, state.counts.filled), (RunPhase::Finished, 20), "{}", state.why);
    assert_eq!((application.most_loads_of_a_key(), state.counts.requests), (2, 40));
    let (_, front) = Application::start(&server, Way::Busy).await;
    let began = Instant::now();
    let state =
        run(&bench, "2", plan(Action::Warm { warm: warm(endpoint(&front), 100..130, gentle()) })).await;
    assert_eq!((state.phase, state.counts.filled), (RunPhase::Finished, 30), "{}", state.why);
    assert!(began.elapsed() >= Duration::from_secs(1), "the endpoint asked for a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_that_can_not_be_run_are_refused_before_anything_is_sent() {
    let server = server().await;
    let bench = Bench::on(&server.url()).await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let of = |change: fn(&mut Endpoint)| {
        let mut endpoint = endpoint(&front);
        change(&mut endpoint);
        plan(Action::Warm { warm: warm(endpoint, 0..3, gentle()) })
    };
    for (made, said) in [
        (of(|endpoint| endpoint.url = "/load/{id}".to_owned()), "names no host"),
        (of(|endpoint| endpoint.url = endpoint.url.replace("{id}", "{item}")), "no field \"item\""),
        (of(|endpoint| endpoint.private_addresses = false), "private network"),
        (of(|endpoint| endpoint.secret = Some(SecretHeader::bearer("token"))), "secret \"token\""),
        (of(|endpoint| endpoint.method = "FETCH".to_owned()), "no method"),
    ] {
        let preview = bench.preview(made).await.expect("looked at");
        let check = refusal(&preview.checks).unwrap_or_else(|| panic!("{said}"));
        assert_eq!(check.code, "endpoint");
        assert!(check.sentence.contains(said), "{}", check.sentence);
        assert!(bench.approve(&preview).await.is_err(), "{said}");
    }
    assert_eq!(application.loads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_halts_when_the_cache_begins_to_evict_and_when_it_is_full() {
    for (policy, said) in [("allkeys-lru", "evict"), ("noeviction", "full")] {
        let config = vec![
            ("maxmemory".to_owned(), "3mb".to_owned()),
            ("maxmemory-policy".to_owned(), policy.to_owned()),
        ];
        let server = RedisServer::start(RedisOptions { config, ..RedisOptions::default() })
            .await
            .expect("redis-server is installed");
        let mut connection = server.connection().await.expect("it answers");
        // Up to the brim, as far as the server lets us.
        for number in 0..200 {
            let full: redis::RedisResult<()> = redis::cmd("SET")
                .arg(format!("other:{number}"))
                .arg(vec![b'x'; 20_000])
                .query_async(&mut connection)
                .await;
            if full.is_err() {
                break;
            }
        }
        let (_application, front) = Application::start(&server, Way::Fills).await;
        let bench = Bench::on(&server.url()).await;
        let limits = WarmLimits { per_minute: 3_000, ..gentle() };
        let started =
            bench.start("1", plan(Action::Warm { warm: warm(endpoint(&front), 0..5_000, limits) })).await;
        // A server that takes no write at all gives no lock either.
        let sentence = match started {
            Ok(run) => run.ended().await.why,
            Err(failure) => failure.sentence,
        };
        let ends = sentence.contains(said) || sentence.contains("maxmemory");
        assert!(ends, "{policy}: {sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_replaces_every_value_and_never_takes_more_keys_away_than_are_loaded_at_a_time() {
    let server = server().await;
    set(&server, 0..200).await;
    let (application, front) = Application::start(&server, Way::Fills).await;
    let bench = Bench::on(&server.url()).await;
    let scope = Scope::Pattern { pattern: "item:*".to_owned(), database: None };
    let limits = WarmLimits { concurrency: 4, ..gentle() };
    let action = Action::Refresh { scope, soften_ms: None, warm: warm(endpoint(&front), 0..0, limits) };
    let mut made = plan(action);
    made.how = HowToRun { beyond_limits: true, ..made.how };
    let run = bench.start("1", made).await.expect("it starts");
    let mut connection = server.connection().await.expect("it answers");
    let mut fewest = 200;
    while !run.has_ended() {
        let there: Vec<String> =
            redis::cmd("KEYS").arg("item:*").query_async(&mut connection).await.expect("listed");
        fewest = fewest.min(there.len());
    }
    let state = run.ended().await;
    assert_eq!(state.phase, RunPhase::Finished, "{}", state.why);
    assert_eq!((state.counts.removed, state.counts.filled), (200, 200), "{:?}", state.counts);
    assert_eq!((application.loads(), application.most_loads_of_a_key()), (200, 1));
    assert!(fewest >= 196, "{fewest} were there");
    let value: String = redis::cmd("GET").arg("item:7").query_async(&mut connection).await.expect("there");
    assert_eq!(value, "loaded 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_does_not_wait_for_an_endpoint_that_hangs() {
    let server = server().await;
    let (application, front) = Application::start(&server, Way::Hangs).await;
    let bench = Bench::on(&server.url()).await;
    let run = bench
        .start("1", plan(Action::Warm { warm: warm(endpoint(&front), 0..50, gentle()) }))
        .await
        .expect("it starts");
    while application.loads() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), run.ended()).await.expect("it ends at once");
    assert_eq!(ended.phase, RunPhase::Cancelled);
}
