//! A grant, from the wish to the request that it allows.

use std::time::{Duration, Instant};

use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

const GRANTS: &str = "
grants:
- name: help-out
  roles: [reader]
  groups: [staff]
  longest: 1h
  approval:
    groups: [approvers]
";

#[tokio::test]
async fn a_role_is_there_within_seconds_of_its_approval_and_gone_with_its_end() {
    let policy = Policy::Text(format!("{DEFAULT_POLICY}{GRANTS}"));
    let stack = Stack::start(Settings { policy, ..Settings::default() }).await.unwrap();
    let control = stack.control().unwrap();
    let ana = stack.token("ana", &["staff"]).unwrap();
    let approver = stack.token("ben", &["approvers"]).unwrap();
    let status = async || Prompt::new("hello").ask(&stack.url, &ana).send().await.unwrap().status;
    assert_eq!(status().await, 403, "she has no role yet");
    let asked =
        control.run(&["grants", "request", "help-out", "--for", "4s", "--reason", "a fix"], &ana).unwrap();
    let id = asked.split_whitespace().next().unwrap();
    assert_eq!(status().await, 403, "a wish gives nothing");
    control.run(&["grants", "approve", id, "--reason", "agreed"], &approver).unwrap();
    let approved = Instant::now();
    let until = async |wanted: u16| {
        while status().await != wanted {
            assert!(approved.elapsed() < Duration::from_secs(20), "never {wanted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        approved.elapsed()
    };
    println!("live after {:?}", until(200).await);
    // Nobody has to take it back: the sidecar knows the end, also while control is away.
    let gone = until(403).await;
    assert!(gone < Duration::from_secs(6), "{gone:?}");
}
