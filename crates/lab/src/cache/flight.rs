//! Single flight: of those who want the same thing at the same time, one loads it and all get it.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;

use super::CacheError;
use bytes::Bytes;

type Flight = Shared<BoxFuture<'static, Result<Bytes, CacheError>>>;

/// The loads under way, by key.
#[derive(Clone, Default)]
pub(super) struct SingleFlight {
    flights: Arc<Mutex<HashMap<String, Flight>>>,
}

impl std::fmt::Debug for SingleFlight {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SingleFlight").field("flights", &self.flights.lock().len()).finish()
    }
}

impl SingleFlight {
    /// The result of the flight of `key`, when there is one.
    pub(super) async fn join(&self, key: &str) -> Option<Result<Bytes, CacheError>> {
        let flight = self.flights.lock().get(key).cloned()?;
        Some(flight.await)
    }

    /// Joins the flight of `key`, or starts it with `load`. The load is a task of its own: it goes on when
    /// the one who started it loses interest, because others wait for it.
    pub(super) async fn run<F>(&self, key: &str, load: impl FnOnce() -> F) -> Result<Bytes, CacheError>
    where
        F: Future<Output = Result<Bytes, CacheError>> + Send + 'static,
    {
        let flight = {
            let mut flights = self.flights.lock();
            if let Some(flight) = flights.get(key) {
                flight.clone()
            } else {
                let (landing, name, loading) = (Arc::clone(&self.flights), key.to_owned(), load());
                let task = tokio::spawn(async move {
                    let _landed = Landing { flights: landing, key: name };
                    loading.await
                });
                let name = key.to_owned();
                let flight = task
                    .map(move |joined| {
                        joined.unwrap_or_else(|error| {
                            Err(CacheError::Load { key: name, reason: error.to_string() })
                        })
                    })
                    .boxed()
                    .shared();
                flights.insert(key.to_owned(), flight.clone());
                flight
            }
        };
        flight.await
    }
}

/// Takes the flight off the list, also when the load panics.
struct Landing {
    flights: Arc<Mutex<HashMap<String, Flight>>>,
    key: String,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn of_many_who_want_the_same_one_loads() {
        let (flight, loads) = (SingleFlight::default(), Arc::new(AtomicUsize::new(0)));
        let (open, gate) = tokio::sync::watch::channel(false);
        let wanting = (0..20).map(|_| {
            let (loads, mut gate) = (Arc::clone(&loads), gate.clone());
            flight.run("key", move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                gate.wait_for(|open| *open).await.expect("the gate is opened");
                Ok(Bytes::from_static(b"value"))
            })
        });
        let opening = async { open.send(true).expect("the load waits at the gate") };
        let (values, ()) = futures::join!(futures::future::join_all(wanting), opening);
        assert!(values.iter().all(|value| value.as_deref() == Ok(b"value".as_slice())));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_load_that_panics_fails_its_waiters_and_not_the_next_flight() {
        let flight = SingleFlight::default();
        let failed = flight.run("key", || async { std::panic::panic_any("broken loader") }).await;
        assert!(matches!(failed, Err(CacheError::Load { .. })), "{failed:?}");
        let loaded = flight.run("key", || async { Ok(Bytes::from_static(b"value")) }).await;
        assert_eq!(loaded.as_deref(), Ok(b"value".as_slice()));
    }
}
