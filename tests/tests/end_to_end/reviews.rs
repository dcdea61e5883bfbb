//! An access review, from the use that Envoy's records show to the request that is refused.

use std::time::{Duration, Instant};

use serde_json::Value;
use sluice_tests::prompt::Prompt;
use sluice_tests::stack::{DEFAULT_POLICY, Policy, Settings, Stack};

const REVIEWS: &str = "
reviews:
- { name: quarterly, reviewers: [leads] }
";

#[tokio::test]
async fn a_role_that_a_review_revokes_is_refused_within_two_seconds_and_allowed_again_once_it_is_lifted() {
    let policy = Policy::Text(format!("{DEFAULT_POLICY}{REVIEWS}"));
    let stack = Stack::start(Settings { policy, ..Settings::default() }).await.unwrap();
    let control = stack.control().unwrap();
    let (ana, bob) = (stack.token("ana", &["readers"]).unwrap(), stack.token("bob", &["readers"]).unwrap());
    let (lea, operator) =
        (stack.token("lea", &["leads"]).unwrap(), stack.token("opa", &["operators"]).unwrap());
    let status = async |who: &str| Prompt::new("hello").ask(&stack.url, who).send().await.unwrap();
    assert_eq!((status(&ana).await.status, status(&bob).await.status), (200, 200));

    // What the filter recorded of the two is what the review shows.
    let mut access = Value::Null;
    let begun = Instant::now();
    while access["identities"].as_array().is_none_or(|all| all.len() < 2) {
        assert!(begun.elapsed() < Duration::from_secs(20), "never recorded: {access}");
        let listed =
            control.run(&["access", "ls", "--role", "reader", "--output", "json"], &operator).unwrap();
        access = serde_json::from_str(&listed).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(access["identities"][0]["used"]["roles"]["names"]["reader"]["count"], 1, "{access}");

    let review = control.run(&["reviews", "start", "quarterly", "--output", "json"], &operator).unwrap();
    let review: Value = serde_json::from_str(&review).unwrap();
    let id = review["id"].as_str().unwrap();
    let shown = control.run(&["reviews", "show", id, "--output", "json"], &lea).unwrap();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let items = shown["items"].as_array().unwrap();
    let of_ana = items.iter().find(|item| item["subject"] == "ana" && item["role"] == "reader").unwrap();
    let n = of_ana["n"].to_string();
    control.run(&["reviews", "revoke", id, &n, "--reason", "has left the team"], &lea).unwrap();
    let revoked = Instant::now();
    let until = async |wanted: u16| {
        let start = Instant::now();
        loop {
            let answer = status(&ana).await;
            if answer.status == wanted {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "never {wanted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let refused = until(403).await;
    println!("refused after {:?}", revoked.elapsed());
    let said = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(said.contains("an access review has taken back"), "{said}");
    assert_eq!(status(&bob).await.status, 200, "nobody else is meant");

    control.run(&["access", "lift", &format!("{id}-{n}"), "--reason", "is back"], &operator).unwrap();
    until(200).await;
}
