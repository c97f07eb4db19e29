//! The slow log of one server: sampled for as long as that was approved, then read as it stands.

use std::sync::Arc;

use cachescope_sources::context::SourceContext;
use cachescope_sources::redis::RedisNode;
use cachescope_sources::redis::slow_log::{GentleOptions, SampleEnd, SampleOptions, read, sample};

use crate::custody::Held;

/// Runs until cancelled. What was approved is put back before it ends.
pub(super) async fn run(context: SourceContext, node: Arc<RedisNode>, held: Option<Held>) {
    let mut options = GentleOptions::default();
    if let Some(mut held) = held {
        let sampled = sample(&context, &node, held.plan(), SampleOptions::default()).await;
        let mut remark = match sampled.end {
            SampleEnd::Cancelled => String::new(),
            SampleEnd::TimeIsUp => {
                "the sample ended after its 15 minutes; switch it on again for another".to_owned()
            }
            SampleEnd::Stopped(why) => format!("the sample was ended: {why}"),
        };
        if !sampled.to_put_back {
            held.settle_as_before().await;
        } else if let Err(error) = held.put_back().await {
            tracing::warn!(%error, "the slow log's settings could not be put back; the keeper goes on trying");
            remark.push_str(
                "; its settings are put back as soon as the server is reached, or when Cachescope ends",
            );
        }
        options.remark = remark;
    }
    read(context, node, options).await;
}
