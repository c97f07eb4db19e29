//! `cachescope strategy audit`: what is documented beside what the keys are.

use anyhow::Result;
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_tests::command;
use serde_json::Value;

const STRATEGY: &str = r#"
name = "shop"
title = "A shop"

[[namespace]]
name = "tile"
title = "Tiles"
template = "tile:{tile}"
ttl = "1m"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_quiet_while_the_keys_are_as_documented_and_names_those_that_are_not() -> Result<()> {
    let server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = redis::Client::open(server.url())?.get_multiplexed_async_connection().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, STRATEGY)?;
    let file = file.display().to_string();
    let url = server.url();
    let audit = ["strategy", "audit", "--redis", &url, "--strategy", &file, "--exact", "--json"];

    for number in 0..20 {
        redis::cmd("SET")
            .arg(format!("tile:{number}"))
            .arg("x")
            .arg("EX")
            .arg(50)
            .query_async::<()>(&mut connection)
            .await?;
    }
    let ended = command::run(&audit).await?;
    let report: Value = serde_json::from_slice(&ended.stdout)?;
    assert_eq!(ended.status.code(), Some(0), "{report}");
    assert_eq!(report["findings"], Value::from(Vec::<u8>::new()));
    assert_eq!(report["namespaces"][0]["documented_ttl_seconds"], 60.0);

    redis::cmd("SET").arg("tile:forever").arg("x").query_async::<()>(&mut connection).await?;
    let ended = command::run(&audit).await?;
    let report: Value = serde_json::from_slice(&ended.stdout)?;
    assert_eq!(ended.status.code(), Some(1), "{report}");
    assert_eq!(report["findings"][0]["code"], "no-ttl", "{report}");

    let nothing = command::run(&["strategy", "audit", "--redis", &url]).await?;
    assert_eq!(nothing.status.code(), Some(2), "there is nothing to compare with");
    Ok(())
}
