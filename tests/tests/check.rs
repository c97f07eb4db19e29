//! `cachescope check` and `cachescope mark`, as a script would run them.

use anyhow::{Context, Result};
use cachescope_lab::servers::{RedisOptions, RedisServer};
use cachescope_model::deployment::{Deployment, DeploymentId, TlsFiles};
use cachescope_tests::command;

const HEAD: &str = "name = \"shop\"\ntitle = \"The shop\"\n[[namespace]]\nname = \"user\"\ntitle = \"Users\"\n\
                    template = \"user:{userId}\"\nttl = \"1h\"\n";

/// A rule about the number of keys, which a script can set.
fn rule(name: &str, above: u32, hold: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nreading = \"keys\"\nabove = {above}\nfor = \"{hold}\"\n\
         summary = \"Too many <keys>\"\naction = \"Purge some.\"\ndocumented = \"keys\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_tells_fine_firing_bad_usage_and_out_of_reach_and_junit_says_which() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut server = RedisServer::start(RedisOptions::default()).await?;
    let mut connection = server.connection().await?;
    for number in 0..5 {
        redis::cmd("SET").arg(format!("user:{number}")).arg("x").exec_async(&mut connection).await?;
    }
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(at("fine.toml"), format!("{HEAD}{}", rule("ManyKeys", 100, "0s")))?;
    std::fs::write(at("firing.toml"), format!("{HEAD}{}", rule("ManyKeys", 2, "10m")))?;
    let address = server.address();
    let check = async |strategy: &str, more: &[&str]| {
        let mut arguments = vec!["check", "--redis", &address, "--watch-for", "2s", "--strategy", strategy];
        arguments.extend(more);
        command::run(&arguments).await
    };

    let fine = check(&at("fine.toml"), &[]).await?;
    assert_eq!(fine.status.code(), Some(0), "{}", String::from_utf8_lossy(&fine.stderr));
    assert!(String::from_utf8_lossy(&fine.stdout).contains("ManyKeys"), "the table lists what was judged");

    let junit = at("result.xml");
    let firing = check(&at("firing.toml"), &["--json", "--junit", &junit]).await?;
    assert_eq!(firing.status.code(), Some(1), "being past it is enough: `for` is left out");
    let said = String::from_utf8_lossy(&firing.stderr);
    assert!(said.starts_with("cachescope: firing: ManyKeys"), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&firing.stdout).context("it prints JSON")?;
    assert_eq!(report["firing"], 1);
    let rule = report["rules"].as_array().and_then(|rules| rules.iter().find(|it| it["rule"] == "ManyKeys"));
    let rule = rule.context("the rule is listed")?;
    assert_eq!((&rule["outcome"], &rule["past"][0]["value"]), (&"firing".into(), &5.0.into()));
    let xml = std::fs::read_to_string(&junit)?;
    assert!(xml.contains("failures=\"1\"") && xml.contains("Too many &lt;keys&gt;"), "{xml}");

    let honoured = check(&at("firing.toml"), &["--honour-for"]).await?;
    assert_eq!(honoured.status.code(), Some(0), "two seconds are no ten minutes");

    let unusable = check(&at("missing.toml"), &[]).await?;
    assert_eq!(unusable.status.code(), Some(2));

    server.stop();
    let gone = check(&at("fine.toml"), &["--timeout", "1s"]).await?;
    assert_eq!(gone.status.code(), Some(3), "{}", String::from_utf8_lossy(&gone.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_kept_for_every_deployment_and_one_of_a_deployment_nobody_knows_is_refused() -> Result<()> {
    let mark = command::json(&["mark", "4f21c8", "--kind", "deploy"]).await?;
    assert_eq!((&mark["text"], &mark["source"]), (&"4f21c8".into(), &"command".into()));
    assert!(mark["id"].as_i64().is_some_and(|id| id > 0), "{mark}");
    let refused = command::run(&["mark", "4f21c8", "--deployment", "nowhere"]).await?;
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("\"nowhere\""), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_by_address_is_of_the_deployments_that_are_there_by_that_way_whatever_password_is_typed()
-> Result<()> {
    let state = tempfile::tempdir()?;
    let store = cachescope_store::Store::open(state.path())?;
    for (id, redis_url, ssh) in [
        ("a", "redis://cache.shop:7000", None),
        ("b", "redis://other.shop:7000", None),
        // The same address behind two other SSH servers: three servers in all.
        ("c", "redis://cache.shop:7000", Some("ann@bastion")),
        ("d", "redis://cache.shop:7000", Some("bastion:2222")),
        ("e", "redis://cache.shop:7002", Some("bastion")),
    ] {
        let deployment = Deployment {
            id: DeploymentId(id.to_owned()),
            name: id.to_owned(),
            environment: None,
            redis_url: Some(redis_url.to_owned()),
            prometheus_url: None,
            metrics_urls: Vec::new(),
            strategy: None,
            group: None,
            colour: None,
            tls: TlsFiles::default(),
            ssh: ssh.map(cachescope_sources::ssh::parse).transpose()?,
            ssh_http: false,
        };
        store.save_deployment(deployment).await?;
    }
    let directory = state.path().display().to_string();
    let at = |url: &str| ["mark", "v2", "--redis", url, "--state-dir", directory.as_str()].map(str::to_owned);
    let mark =
        command::json(&at("redis://ops:s3cret@cache.shop:7000/3").each_ref().map(String::as_str)).await?;
    assert_eq!(mark["deployment"], "a");
    for (ssh, of) in [("bastion", "c"), ("bob@bastion:22", "c"), ("bastion:2222", "d")] {
        let there = at("redis://cache.shop:7000");
        let typed: Vec<&str> = there.iter().map(String::as_str).chain(["--ssh", ssh]).collect();
        assert_eq!(command::json(&typed).await?["deployment"], of, "{ssh}");
    }
    let direct = command::run(&at("redis://cache.shop:7002").each_ref().map(String::as_str)).await?;
    let said = String::from_utf8_lossy(&direct.stderr);
    assert_eq!(direct.status.code(), Some(2), "{said}");
    assert!(said.contains("add --ssh bastion"), "{said}");
    let refused = command::run(&at("redis://:s3cret@cache.shop:7001").each_ref().map(String::as_str)).await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("cache.shop:7001") && !said.contains("s3cret"), "{said}");
    Ok(())
}
