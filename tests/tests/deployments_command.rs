//! `cachescope deployments`: from one state directory to another, and from another program's file.

use anyhow::Result;
use cachescope_tests::command;
use serde_json::Value;

/// As Redis Insight writes them.
const INSIGHT: &str = r#"[
  {"host": "10.1.2.3", "port": 6379, "name": "Orders", "username": "viewer", "password": "hunter2"},
  {"host": "10.1.2.4", "port": 6379, "name": "Tunnel", "ssh": true, "sshOptions": {"host": "bastion", "password": "hunter2"}}
]"#;

async fn json(arguments: &[&str]) -> Result<Value> {
    command::json(arguments).await
}

#[tokio::test]
async fn deployments_go_from_a_file_into_one_state_directory_and_on_to_the_next() -> Result<()> {
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (here, there) = (first.path().display().to_string(), second.path().display().to_string());
    let file = first.path().join("insight.json");
    std::fs::write(&file, INSIGHT)?;
    let file = file.display().to_string();

    let preview = json(&["deployments", "import", &file, "--dry-run", "--state-dir", &here]).await?;
    assert_eq!((&preview["kept"], &preview["format"]), (&Value::from(false), &Value::from("Redis Insight")));
    assert_eq!(json(&["deployments", "list", "--state-dir", &here]).await?, Value::from(Vec::<u8>::new()));

    let report = json(&["deployments", "import", &file, "--state-dir", &here]).await?;
    let outcomes: Vec<_> =
        report["deployments"].as_array().into_iter().flatten().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["new", "new"]);
    assert!(!report.to_string().contains("hunter2"), "{report}");

    let exported = command::run(&["deployments", "export", "--state-dir", &here]).await?;
    let text = String::from_utf8(exported.stdout)?;
    assert!(text.contains("redis://viewer@10.1.2.3:6379") && text.contains("\"bastion\""), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let exported = second.path().join("export.json");
    std::fs::write(&exported, &text)?;
    let exported = exported.display().to_string();
    for outcome in ["new", "known"] {
        let report = json(&["deployments", "import", &exported, "--state-dir", &there]).await?;
        assert_eq!(report["deployments"][0]["outcome"], outcome);
    }
    let lists = (
        json(&["deployments", "list", "--state-dir", &here]).await?,
        json(&["deployments", "list", "--state-dir", &there]).await?,
    );
    assert_eq!(lists.0, lists.1, "with the same identities");

    let nonsense = command::run(&["deployments", "import", "/etc/hostname", "--state-dir", &there]).await?;
    assert_eq!(nonsense.status.code(), Some(2));
    assert_eq!(String::from_utf8(nonsense.stderr)?.lines().count(), 1);
    Ok(())
}
