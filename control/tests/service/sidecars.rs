//! Which machines may call as sidecars.

use serde_json::json;

use super::harness::{POLICY, Service};

const SIDECARS: &str = "  sidecars: { issuer: own, subjects: ['system:serviceaccount:*:agent'] }\n";

#[tokio::test]
async fn where_the_policy_names_sidecars_only_their_tokens_are_taken() {
    let service = Service::start_as(&format!("{POLICY}{SIDECARS}"), &[]).await;
    let agent = service.token("system:serviceaccount:shop:agent", "x");
    let other = service.token("system:serviceaccount:shop:web", "x");
    let call = async |token: &str| service.call(axum::http::Method::GET, "/v1/bundle", token, None).await;
    assert_eq!(call(&agent).await.0, 200);
    for (token, why) in [
        (other.as_str(), "not a sidecar's"),
        (&service.data_token(), "cannot be read"),
        ("", "cannot be read"),
        (&format!("{agent}x"), "signature"),
    ] {
        let (status, said) = call(token).await;
        assert_eq!(status, 401, "{said}");
        assert!(said["detail"].as_str().unwrap().contains(why), "{said}");
    }
    // Every endpoint of theirs.
    for (method, path) in [
        ("GET", "/v1/bundle"),
        ("POST", "/v1/exchanges"),
        ("POST", "/v1/records"),
        ("POST", "/v1/holds/x/wait"),
        ("POST", "/v1/holds/x/use"),
        ("POST", "/v1/budgets"),
        ("POST", "/v1/issuers/refresh"),
    ] {
        let method = method.parse().unwrap();
        let (status, said) = service.call(method, path, &other, Some(&json!({}))).await;
        assert_eq!(status, 401, "{path}: {said}");
    }
}
