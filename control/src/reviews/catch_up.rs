//! Entries from before use was added up: read once, page by page, and added.
//!
//! Their records do not name the roles that were used. What the policy in force would have given the caller's groups
//! stands in for it; grants of that time are not known any more.

use sluice_engine::claude::routes;
use sluice_engine::identity::Principal;
use sluice_engine::policy::compile::Compiled;
use sluice_engine::record::{Record, Stage};

use super::Usage;
use crate::records::Entry;
use crate::store::{Store, StoreError, Which};

/// Entries in one page.
const PAGE: u32 = 500;

/// Adds up what is left of the backlog. `compiled`: the policy in force.
///
/// # Errors
/// When the store cannot be read or written; what was added up until then stays so.
pub async fn catch_up(store: &dyn Store, compiled: &Compiled) -> Result<(), StoreError> {
    while let Some(backlog) = store.usage_backlog().await? {
        let which = Which { after: backlog.after, limit: PAGE, ..Which::default() };
        let page = store.entries(which).await?;
        let within = page.iter().take_while(|stored| stored.cursor <= backlog.until);
        let mut usage = Vec::new();
        let mut upto = backlog.until;
        for stored in within {
            upto = stored.cursor;
            // What cannot be read any more is for verification to tell.
            if let Ok(Entry::Exchange(mut record)) = serde_json::from_str(&stored.entry) {
                name_roles(&mut record, compiled);
                usage.extend(Usage::of(&record));
            }
        }
        if page.len() < PAGE as usize {
            upto = backlog.until;
        }
        store.add_usage(backlog, upto, usage).await?;
    }
    Ok(())
}

fn name_roles(record: &mut Record, compiled: &Compiled) {
    let Some(who) = record.principal.as_ref().filter(|_| record.stage == Stage::Open) else { return };
    if !record.roles.is_empty() {
        return;
    }
    let scope = routes::all().find(|route| route.name == record.route).and_then(|route| route.scope);
    let principal = Principal {
        issuer: who.issuer.clone(),
        subject: who.subject.clone(),
        groups: who.groups.clone(),
        scopes: None,
        actor: None,
        expires_ms: u64::MAX,
    };
    let rights = compiled.rights(&principal, record.at_ms);
    let scopes: Vec<&str> = scope.into_iter().collect();
    record.roles = rights.used(&scopes, record.model.as_deref()).into_iter().map(str::to_owned).collect();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policies::Loaded;
    use crate::reviews::access::tests::policy;
    use crate::reviews::record;
    use crate::trial::runtime;

    #[test]
    fn roles_of_an_old_record_are_those_that_the_policy_would_have_given() {
        let loaded =
            Loaded { policy: policy(), version: "p".into(), files: Vec::new(), warnings: Vec::new() };
        let runtime = runtime(&loaded, Vec::new(), 1).unwrap();
        for (more, roles) in [
            (json!({"model": "claude-sonnet-4-5"}), vec!["reader", "writer"]),
            (json!({"model": "claude-haiku-4-5"}), vec!["writer"]),
            (json!({"model": "gpt"}), vec![]),
            (json!({"model": "gpt", "roles": ["known"]}), vec!["known"]),
            (json!({"principal": {"issuer": "own", "subject": "ana", "groups": []}}), vec![]),
        ] {
            let mut record = record("open", 5, more);
            name_roles(&mut record, &runtime.compiled);
            assert_eq!(record.roles, roles);
        }
    }
}
