//! Access reviews: those under way, those that are over, and the start of another.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::json;
use sluice_engine::policy::document;

use super::failure::Failure;
use super::form::Sent;
use super::page;
use super::shell::{Shell, Visitor};
use super::when::When;
use crate::http::{self, Control, Problem, ShownReview};
use crate::records::text::clean_line;
use crate::reviews::{Progress, ReviewState};

#[derive(Template)]
#[template(path = "reviews.html")]
struct Page {
    shell: Shell,
    open: Vec<Row>,
    closed: Vec<Row>,
    offered: Vec<Offer>,
    operator: bool,
    author: bool,
}

/// A review in the list.
struct Row {
    id: String,
    name: String,
    reviewers: String,
    decides: bool,
    far: Far,
    started: When,
    deadline: When,
    closed: When,
}

/// How far a review is: its numbers, and the same as a bar of a thousand parts.
pub struct Far {
    pub all: u64,
    pub done: u64,
    pub certified: u64,
    pub reduced: u64,
    pub revoked: u64,
    pub open: u64,
    /// Class, start and width of each part.
    pub parts: Vec<(&'static str, u64, u64)>,
}

/// A review of the policy that could start.
struct Offer {
    name: String,
    what: String,
    running: bool,
}

/// `GET /access/reviews`.
pub async fn list(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    let now = (state.clock)();
    let shell = visitor.access(&state, "Reviews", "/access/reviews");
    let most = http::query([("limit", "300")]);
    let Json(shown) = http::reviews::list(visitor.person.clone(), state.clone(), most).await?;
    if shown.reviews.is_empty() && !http::reviews::has_reviews(&state, &visitor.person) {
        return Err(Problem::forbidden(
            "reviews are for their reviewers, auditors and operators: the policy names the groups, and you are in none",
        )
        .into());
    }
    let running = |name: &str| {
        let own = shown.reviews.iter().filter(|shown| shown.review.name == name);
        own.into_iter().any(|shown| shown.review.state == ReviewState::Open)
    };
    let policy = state.bundle.borrow().policy.clone();
    let offered = policy.reviews.iter().filter(|review| shown.offered.contains(&review.name));
    let offered = offered.map(|review| Offer {
        name: clean_line(&review.name),
        what: what(review),
        running: running(&review.name),
    });
    let offered = offered.collect();
    let (mut open, mut closed): (Vec<&ShownReview>, Vec<&ShownReview>) =
        shown.reviews.iter().partition(|shown| shown.review.state == ReviewState::Open);
    open.sort_by_key(|shown| shown.review.deadline_ms);
    closed.sort_by_key(|shown| std::cmp::Reverse(shown.review.closed_ms));
    let rows = |all: Vec<&ShownReview>| all.into_iter().map(|shown| row(shown, now)).collect();
    let (operator, author) = (visitor.person.is_operator(&state), visitor.person.is_author(&state));
    Ok(page(&Page { shell, open: rows(open), closed: rows(closed), offered, operator, author }))
}

fn row(shown: &ShownReview, now: u64) -> Row {
    let review = &shown.review;
    Row {
        id: review.id.clone(),
        name: clean_line(&review.name),
        reviewers: clean_line(&review.reviewers.join(", ")),
        decides: shown.decides,
        far: Far::of(&shown.progress),
        started: When::new(review.started_ms, now),
        deadline: When::new(review.deadline_ms, now),
        closed: When::new(review.closed_ms.unwrap_or(review.deadline_ms), now),
    }
}

impl Far {
    /// What a review's numbers come to.
    pub fn of(progress: &Progress) -> Self {
        let Progress { open, certified, revoked, reduced } = *progress;
        let done = certified.saturating_add(revoked).saturating_add(reduced);
        let all = done.saturating_add(open);
        let mut at = 0;
        let part = |(class, count): (&'static str, u64)| {
            let width = (count * 1000).checked_div(all).unwrap_or(0);
            at += width;
            (class, at - width, width)
        };
        let parts = [("allow", certified), ("hold", reduced), ("deny", revoked)].map(part);
        let parts = parts.into_iter().filter(|(.., width)| *width > 0).collect();
        Self { all, done, certified, reduced, revoked, open, parts }
    }

    /// Whole percent, rounded down: a hundred is all.
    pub fn percent(&self) -> u64 {
        (self.done * 100).checked_div(self.all).unwrap_or(100)
    }
}

/// What a review of the policy looks at, who decides, and how long.
fn what(review: &document::Review) -> String {
    let scope = &review.scope;
    let lists = [
        ("groups", &scope.groups),
        ("roles", &scope.roles),
        ("models", &scope.models),
        ("tools", &scope.tools),
    ];
    let narrowed = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let narrowed: Vec<String> = narrowed.map(|(name, list)| format!("{name} {}", list.join(", "))).collect();
    let looks =
        if narrowed.is_empty() { "everything that anybody has".to_owned() } else { narrowed.join("; ") };
    let every = review.every.map(|every| format!(", by itself every {every}")).unwrap_or_default();
    let by = review.reviewers.join(", ");
    clean_line(&format!("{looks}; {by} decide within {}{every}", review.deadline))
}

/// `POST /access/reviews`: starts one.
pub async fn start(state: State<Arc<Control>>, Sent { visitor, form }: Sent) -> Result<Redirect, Failure> {
    let wanted = json!({"name": form.text("name").unwrap_or_default()}).to_string();
    let (_, Json(started)) = http::reviews::begin(visitor.person, state, Bytes::from(wanted)).await?;
    Ok(Redirect::to(&format!("/access/reviews/{}", started.review.id)))
}

/// `POST /access/reviews/{id}/close`.
pub async fn close(
    state: State<Arc<Control>>,
    Path(id): Path<String>,
    Sent { visitor, form }: Sent,
) -> Result<Redirect, Failure> {
    let body = json!({"reason": form.text("reason")}).to_string();
    let Json(closed) = http::reviews::close(visitor.person, state, Path(id), Bytes::from(body)).await?;
    Ok(Redirect::to(&format!("/access/reviews/{}", closed.review.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_parts_in_order_and_is_full_when_all_is_decided() {
        let far = Far::of(&Progress { open: 5, certified: 3, revoked: 2, reduced: 0 });
        assert_eq!((far.all, far.done, far.percent()), (10, 5, 50));
        assert_eq!(far.parts, [("allow", 0, 300), ("deny", 300, 200)]);
        assert_eq!(Far::of(&Progress { certified: 2, reduced: 1, ..Progress::default() }).percent(), 100);
        assert_eq!(Far::of(&Progress { open: 1, certified: 199, ..Progress::default() }).percent(), 99);
        assert_eq!(Far::of(&Progress::default()).percent(), 100);
    }
}
