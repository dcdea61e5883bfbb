//! `sluice reviews`.

mod decide;
mod evidence;
mod shown;

use axum::http::Method;
use clap::{Args, Subcommand};

use super::api::escape;
use super::approvals::{Listed, as_json};
use super::print::{Paint, clean_line, say, table, time, until};
use super::{Failure, Outcome, Output, Service};
use crate::http::{Begin, ShownItem, ShownItems, ShownReview, ShownReviews, Taking};
use crate::reviews::ReviewState;
use crate::serve::now_ms;

/// Look at what people may do beside what they did, and keep it or take it back.
#[derive(Debug, Subcommand)]
pub enum Reviews {
    /// List the reviews that you may see, with how far they are.
    Ls(Listed),
    /// Show a review with its items.
    Show(Show),
    /// Start a review of the policy now. For operators.
    Start(Start),
    /// Show the next item that you can decide, and how.
    Next(One),
    /// Let items stay as they are: by number, all that are left, or those where the figures say so.
    Certify(decide::Certify),
    /// Take items back. The sidecars refuse within seconds.
    Revoke(decide::Revoke),
    /// Take part of items back: what is named, or what is suggested for each.
    Reduce(decide::Reduce),
    /// Close a review before its deadline, once every item is decided. For operators.
    Close(Close),
    /// Write what a review looked at and what was decided: a signed report, or a table.
    Evidence(evidence::Export),
    /// Check a signed report, without the service.
    Verify(evidence::Verify),
}

/// Which review, which of its items, and how.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    service: Service,
    /// The review's id.
    id: String,
    /// Which items: open, certified, revoked, reduced or all.
    #[arg(long, default_value = "all", value_name = "STATE")]
    state: String,
    /// Only items for which this is suggested: certify, revoke, reduce, none or any.
    #[arg(long, default_value = "any", value_name = "CHOICE")]
    suggested: String,
    /// Only items with this in the name of their person, group or role.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only items behind this number.
    #[arg(long, default_value_t = 0, value_name = "N")]
    after: u32,
    /// How many items.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which review is started.
#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    service: Service,
    /// Its name in the policy.
    name: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which review, and how.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    service: Service,
    /// The review's id.
    id: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which review is closed, and why.
#[derive(Debug, Args)]
pub struct Close {
    #[command(flatten)]
    service: Service,
    /// The review's id.
    id: String,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    reason: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Reviews {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Ls(listed) => list(listed).await,
            Self::Show(asked) => asked.run().await,
            Self::Start(asked) => {
                let body = serde_json::to_string(&Begin { name: asked.name }).map_err(Failure::cannot)?;
                let review = asked.service.json(Method::POST, "/v1/reviews", Some(body)).await?;
                tell(&review, asked.output)
            }
            Self::Next(asked) => asked.next().await,
            Self::Certify(asked) => asked.run().await,
            Self::Revoke(asked) => asked.run().await,
            Self::Reduce(asked) => asked.run().await,
            Self::Close(asked) => {
                let path = format!("/v1/reviews/{}/close", escape(&asked.id));
                let body =
                    serde_json::to_string(&Taking { reason: asked.reason }).map_err(Failure::cannot)?;
                let review = asked.service.json(Method::POST, &path, Some(body)).await?;
                tell(&review, asked.output)
            }
            Self::Evidence(asked) => asked.run().await,
            Self::Verify(asked) => asked.run(),
        }
    }
}

/// A page of items.
async fn items(
    service: &Service,
    review: &str,
    narrowed: &str,
    after: u32,
    limit: u32,
) -> Result<ShownItems, Failure> {
    let path = format!("/v1/reviews/{}/items?{narrowed}&after={after}&limit={limit}", escape(review));
    service.json(Method::GET, &path, None).await
}

/// All items of a review on which nobody has decided and that are not about whoever asks.
async fn open_items(service: &Service, review: &str) -> Result<Vec<ShownItem>, Failure> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let page = items(service, review, "state=open", after, 1000).await?;
        all.extend(page.items.into_iter().filter(|shown| !shown.yours));
        let Some(next) = page.next else { return Ok(all) };
        after = next;
    }
}

async fn list(listed: Listed) -> Outcome {
    let path = format!("/v1/reviews?limit={}", listed.limit);
    let answer: ShownReviews = listed.service.json(Method::GET, &path, None).await?;
    if as_json(listed.output, &answer)? {
        return Ok(());
    }
    if answer.reviews.is_empty() {
        match answer.offered.as_slice() {
            [] => say("no reviews that you may see; the policy has them under `reviews`"),
            offered => say(&format!(
                "no review has started; an operator starts one: sluice reviews start {}",
                clean_line(&offered.join(" | "))
            )),
        }
        return Ok(());
    }
    let row = |shown: &ShownReview| {
        let progress = &shown.progress;
        let done = progress.certified + progress.revoked + progress.reduced;
        vec![
            shown.review.id.clone(),
            clean_line(&shown.review.name),
            stands(shown),
            format!("{done}/{}", shown.review.items),
            progress.certified.to_string(),
            progress.revoked.to_string(),
            progress.reduced.to_string(),
            if shown.decides { "yes".into() } else { "no".into() },
        ]
    };
    let rows: Vec<_> = answer.reviews.iter().map(row).collect();
    let head = ["REVIEW", "NAME", "STATE", "DECIDED", "CERTIFIED", "REVOKED", "REDUCED", "YOU DECIDE"];
    say(&table(&head, &rows, Paint::detect()));
    Ok(())
}

impl Show {
    async fn run(self) -> Outcome {
        let path = format!("/v1/reviews/{}", escape(&self.id));
        let review: ShownReview = self.service.json(Method::GET, &path, None).await?;
        let search = self.search.as_deref().unwrap_or_default();
        let narrowed = format!(
            "state={}&suggested={}&search={}",
            escape(&self.state),
            escape(&self.suggested),
            escape(search)
        );
        let page = items(&self.service, &self.id, &narrowed, self.after, self.limit).await?;
        if self.output == Output::Json {
            let both = serde_json::json!({"review": review, "items": page.items, "next": page.next});
            say(&both.to_string());
            return Ok(());
        }
        tell(&review, Output::Text)?;
        if page.items.is_empty() {
            say("no such items");
            return Ok(());
        }
        let rows: Vec<_> = page.items.iter().map(shown::row).collect();
        say(&table(&shown::HEAD, &rows, Paint::detect()));
        if let Some(next) = page.next {
            say(&format!("more: --after {next}"));
        }
        Ok(())
    }
}

impl One {
    async fn next(self) -> Outcome {
        let next = open_items(&self.service, &self.id).await?.into_iter().next();
        if self.output == Output::Json {
            say(&serde_json::to_string(&next).map_err(Failure::cannot)?);
            return Ok(());
        }
        let Some(next) = next else {
            say("nothing is left that you could decide");
            return Ok(());
        };
        shown::tell(&next.item);
        let (id, n) = (&self.id, next.item.n);
        say(&format!(
            "decide: sluice reviews certify {id} {n} --reason TEXT, or revoke, or reduce --model GLOB --tool GLOB"
        ));
        Ok(())
    }
}

/// Where it stands, with the time that is left.
fn stands(shown: &ShownReview) -> String {
    let review = &shown.review;
    match review.state {
        ReviewState::Open => format!("open, {} left", until(review.deadline_ms, now_ms())),
        ReviewState::Closed => "closed".into(),
    }
}

fn tell(shown: &ShownReview, output: Output) -> Outcome {
    if output == Output::Json {
        say(&serde_json::to_string(shown).map_err(Failure::cannot)?);
        return Ok(());
    }
    let paint = Paint::detect();
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<10}"))));
    let (review, progress) = (&shown.review, &shown.progress);
    line("review", &format!("{}  {}  {}", paint.bold(&review.id), clean_line(&review.name), stands(shown)));
    let by =
        review.started_by.as_ref().map_or_else(|| "it was due".to_owned(), |(_, who)| format!("by {who}"));
    line("started", &clean_line(&format!("{} UTC, {by}", time(review.started_ms))));
    line("deadline", &format!("{} UTC; what nobody decides is revoked", time(review.deadline_ms)));
    line("reviewers", &clean_line(&review.reviewers.join(", ")));
    line(
        "items",
        &format!(
            "{}: {} open, {} certified, {} revoked, {} reduced",
            review.items, progress.open, progress.certified, progress.revoked, progress.reduced
        ),
    );
    if let Some(since) = review.since_ms {
        line("use", &format!("known since {} UTC", time(since)));
    }
    Ok(())
}
