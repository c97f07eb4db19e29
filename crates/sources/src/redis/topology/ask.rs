//! Asking several servers the same, so that one that does not answer holds nobody up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::super::node::RedisNode;
use crate::error::{ErrorCode, SourceError};

/// After this long without an answer the next one is asked as well.
const NEXT_AFTER: Duration = Duration::from_millis(300);
/// How long those are waited for that have not answered when others have.
pub(super) const STRAGGLERS: Duration = Duration::from_millis(1_500);
/// How many are asked before giving up for now.
const MOST_ASKED: usize = 64;

/// An answer, or the failure to get one.
pub(super) type Answer<T> = Result<T, SourceError>;

/// Asks in a task of its own: whoever stops waiting does not break the connection in the middle of a reply.
/// The connection's deadlines end it.
fn spawn<T, F>(node: &Arc<RedisNode>, ask: impl FnOnce(Arc<RedisNode>) -> F) -> JoinHandle<Answer<T>>
where
    T: Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    tokio::spawn(ask(Arc::clone(node)))
}

async fn ended<T>(node: Arc<RedisNode>, task: JoinHandle<Answer<T>>) -> (Arc<RedisNode>, Answer<T>) {
    let answer = task.await.unwrap_or_else(|error| {
        Err(SourceError::new(ErrorCode::Closed, format!("{} was not asked: {error}", node.target()), ""))
    });
    (node, answer)
}

/// Asks one after the other until one gives a `good` answer; the next is asked when the one before fails, is not
/// good or takes long. Where none is good, the best other one, by `worth`.
pub(super) async fn first<T, F>(
    nodes: Vec<Arc<RedisNode>>,
    ask: impl Fn(Arc<RedisNode>) -> F,
    good: impl Fn(&T) -> bool,
    worth: impl Fn(&T) -> u64,
) -> Answer<(Arc<RedisNode>, T)>
where
    T: Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let mut waiting = nodes.into_iter().take(MOST_ASKED);
    let mut asked = FuturesUnordered::new();
    let mut best: Option<(Arc<RedisNode>, T)> = None;
    let mut failure = None;
    let mut patience: Option<Instant> = None;
    loop {
        let next = waiting.next();
        let last_one = next.is_none();
        if let Some(node) = next {
            asked.push(ended(Arc::clone(&node), spawn(&node, &ask)));
        }
        let pause = match (last_one, patience) {
            (false, _) => NEXT_AFTER,
            // Every connection has its own deadlines.
            (true, None) => Duration::from_secs(3600),
            (true, Some(until)) => until.saturating_duration_since(Instant::now()),
        };
        match timeout(pause, asked.next()).await {
            Ok(Some((node, Ok(answer)))) => {
                if good(&answer) {
                    return Ok((node, answer));
                }
                patience.get_or_insert_with(|| Instant::now() + STRAGGLERS);
                if best.as_ref().is_none_or(|(_, known)| worth(&answer) > worth(known)) {
                    best = Some((node, answer));
                }
            }
            Ok(Some((_, Err(error)))) => failure = failure.or(Some(error)),
            Ok(None) | Err(_) if last_one => break,
            Ok(None) | Err(_) => {}
        }
    }
    best.ok_or_else(|| {
        failure.unwrap_or_else(|| SourceError::new(ErrorCode::Timeout, "no server answered in time", ""))
    })
}

/// Asks all at once. Those that take much longer than the others are not waited for.
pub(super) async fn all<T, F>(
    nodes: Vec<Arc<RedisNode>>,
    ask: impl Fn(Arc<RedisNode>) -> F,
) -> Vec<(Arc<RedisNode>, Answer<T>)>
where
    T: Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let mut asked: FuturesUnordered<_> =
        nodes.into_iter().map(|node| ended(Arc::clone(&node), spawn(&node, &ask))).collect();
    let mut answers = Vec::new();
    let mut patience: Option<Instant> = None;
    loop {
        let next = match patience {
            Some(until) => timeout(until.saturating_duration_since(Instant::now()), asked.next()).await,
            None => Ok(asked.next().await),
        };
        let Ok(Some((node, answer))) = next else { return answers };
        if answer.is_ok() {
            patience.get_or_insert_with(|| Instant::now() + STRAGGLERS);
        }
        answers.push((node, answer));
    }
}
