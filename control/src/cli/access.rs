//! `sluice access`.

use axum::http::Method;
use clap::{Args, Subcommand};

use super::api::escape;
use super::print::{Paint, clean_line, say, short, table, time};
use super::{Failure, Outcome, Output, Service};
use crate::http::{Accesses, ShownWithheld, Taking};
use crate::reviews::{Access as Identity, Names, Right, Through, Usage, Withholding, told_part};

/// See who has which rights, beside what they used; give back what a review has taken.
#[derive(Debug, Subcommand)]
pub enum Access {
    /// List identities with their roles and their use. Auditors and operators see all, others themselves.
    Ls(List),
    /// Show what one identity has, through what, and what of it was used.
    Show(One),
    /// List what reviews have taken back, with who did and why.
    Withheld(Listed),
    /// Give back what a review has taken. For operators, and never to yourself.
    Lift(Lift),
}

/// How what is withheld is written.
#[derive(Debug, Args)]
pub struct Listed {
    #[command(flatten)]
    service: Service,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// What is given back, and why.
#[derive(Debug, Args)]
pub struct Lift {
    #[command(flatten)]
    service: Service,
    /// Its id, as `sluice access withheld` lists it.
    id: String,
    /// Why.
    #[arg(long, short, value_name = "TEXT")]
    reason: String,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which identities, and how.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    service: Service,
    /// Only those with this in their name.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those whose last token had this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only those who have this role.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

/// Which identity, and how.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    service: Service,
    /// The subject, exactly as tokens name it. Default: yourself.
    subject: Option<String>,
    /// The issuer, where several have such a subject.
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Access {
    pub async fn run(self) -> Outcome {
        match self {
            Self::Ls(asked) => asked.run().await,
            Self::Show(asked) => asked.run().await,
            Self::Withheld(asked) => asked.run().await,
            Self::Lift(asked) => asked.run().await,
        }
    }
}

impl Listed {
    async fn run(self) -> Outcome {
        let answer: ShownWithheld = self.service.json(Method::GET, "/v1/access/withheld", None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&answer).map_err(Failure::cannot)?);
            return Ok(());
        }
        if answer.withheld.is_empty() {
            say("nothing");
            return Ok(());
        }
        let row = |taken: &Withholding| {
            let what = &taken.withheld;
            vec![
                what.id.clone(),
                short(&clean_line(&what.subject), 36),
                clean_line(&what.role),
                short(&clean_line(&what.part.as_ref().map_or_else(|| "all".into(), told_part)), 50),
                format!("{} UTC", time(taken.at_ms)),
                clean_line(taken.by.as_ref().map_or("nobody", |(_, subject)| subject.as_str())),
                short(&clean_line(&taken.reason), 50),
            ]
        };
        let rows: Vec<_> = answer.withheld.iter().map(row).collect();
        say(&table(&["ID", "WHO", "ROLE", "WHAT", "SINCE", "BY", "WHY"], &rows, Paint::detect()));
        Ok(())
    }
}

impl Lift {
    async fn run(self) -> Outcome {
        let path = format!("/v1/access/withheld/{}/lift", escape(&self.id));
        let body = serde_json::to_string(&Taking { reason: Some(self.reason) }).map_err(Failure::cannot)?;
        let taken: Withholding = self.service.json(Method::POST, &path, Some(body)).await?;
        match self.output {
            Output::Json => say(&serde_json::to_string(&taken).map_err(Failure::cannot)?),
            Output::Text => say(&clean_line(&format!(
                "{} has {} again, as far as the policy gives it",
                taken.withheld.subject, taken.withheld.role
            ))),
        }
        Ok(())
    }
}

fn query(path: &str, parts: &[(&str, Option<&str>)]) -> String {
    let given = parts.iter().filter_map(|(name, value)| Some(format!("{name}={}", escape((*value)?))));
    format!("{path}?{}", given.collect::<Vec<_>>().join("&"))
}

impl List {
    async fn run(self) -> Outcome {
        let limit = self.limit.to_string();
        let parts = [
            ("search", self.search.as_deref()),
            ("group", self.group.as_deref()),
            ("role", self.role.as_deref()),
            ("limit", Some(&*limit)),
        ];
        let answer: Accesses = self.service.json(Method::GET, &query("/v1/access", &parts), None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&answer).map_err(Failure::cannot)?);
            return Ok(());
        }
        if answer.identities.is_empty() {
            say("nobody");
            return Ok(());
        }
        let rows: Vec<_> = answer.identities.iter().map(row).collect();
        let head =
            ["WHO", "ISSUER", "ROLES", "UNUSED", "LAST USED", "EXCHANGES", "DENIED", "HELD", "FINDINGS"];
        say(&table(&head, &rows, Paint::detect()));
        if let Some(since) = answer.since_ms {
            say(&format!("use is known since {} UTC", time(since)));
        }
        if answer.next.is_some() {
            say("there are more: --limit shows up to 1000, the API all of them");
        }
        Ok(())
    }
}

fn row(identity: &Identity) -> Vec<String> {
    let roles = |which: &dyn Fn(&&Right) -> bool| {
        let names: Vec<_> = identity.rights.iter().filter(which).map(|right| right.role.as_str()).collect();
        if names.is_empty() { "-".to_owned() } else { clean_line(&names.join(", ")) }
    };
    let none = Usage::default();
    let used = identity.used.as_ref().unwrap_or(&none);
    vec![
        short(&clean_line(&identity.subject), 40),
        clean_line(&identity.issuer),
        roles(&|right| !right.is_gone()),
        roles(&|right| !right.is_gone() && right.used.is_none()),
        if identity.used.is_some() { time(used.last_ms) } else { "never".into() },
        used.exchanges.to_string(),
        used.denied.to_string(),
        used.held.to_string(),
        used.findings.to_string(),
    ]
}

impl One {
    async fn run(self) -> Outcome {
        let parts = [("subject", self.subject.as_deref()), ("issuer", self.issuer.as_deref())];
        let answer: Accesses = self.service.json(Method::GET, &query("/v1/access", &parts), None).await?;
        if self.output == Output::Json {
            say(&serde_json::to_string(&answer).map_err(Failure::cannot)?);
            return Ok(());
        }
        if answer.identities.is_empty() {
            return Err(Failure::No(
                "there is nobody of this name: neither the record, nor a binding, nor a grant has it; \
                 `sluice access ls` lists who there is"
                    .into(),
            ));
        }
        for (n, identity) in answer.identities.iter().enumerate() {
            if n > 0 {
                say("");
            }
            tell(identity, answer.since_ms);
        }
        Ok(())
    }
}

fn line(name: &str, value: &str) {
    say(&format!("{} {value}", Paint::detect().dim(&format!("{name:<10}"))));
}

fn tell(identity: &Identity, since_ms: Option<u64>) {
    let paint = Paint::detect();
    line("who", &paint.bold(&clean_line(&format!("{} ({})", identity.subject, identity.issuer))));
    match &identity.used {
        None => line("seen", "never"),
        Some(used) => {
            line("groups", &clean_line(&used.groups.join(", ")));
            line("seen", &format!("{} to {} UTC", time(used.first_ms), time(used.last_ms)));
            line(
                "count",
                &format!(
                    "{} exchanges, {} denials, {} holds, {} findings",
                    used.exchanges, used.denied, used.held, used.findings
                ),
            );
            for (name, names) in [
                ("routes", &used.routes),
                ("models", &used.models),
                ("tools", &used.tools),
                ("servers", &used.servers),
            ] {
                if !names.names.is_empty() {
                    line(name, &said(names));
                }
            }
        }
    }
    if identity.rights.is_empty() {
        line("roles", "none");
    }
    for right in &identity.rights {
        tell_right(right);
    }
    if let Some(since) = since_ms {
        say(&paint.dim(&format!("use is known since {} UTC", time(since))));
    }
}

fn said(names: &Names) -> String {
    let mut all: Vec<_> = names.names.iter().map(|(name, used)| format!("{name} {}x", used.count)).collect();
    if let Some(more) = names.more {
        all.push(format!("and {} uses of further names, which are not kept apart", more.count));
    }
    clean_line(&all.join(", "))
}

fn tell_right(right: &Right) {
    let paint = Paint::detect();
    let through = right.through.iter().map(|through| match through {
        Through::Group { binding, group } => format!("group {group} (binding {binding})"),
        Through::Subject { binding } => format!("the subject (binding {binding})"),
        Through::Grant { grant, until_ms } => format!("grant {grant} until {} UTC", time(*until_ms)),
    });
    let through = through.collect::<Vec<_>>().join(", ");
    let used = match right.used {
        Some(used) => format!("used {}x, last {} UTC", used.count, time(used.last_ms)),
        None => paint.yellow("never used"),
    };
    line(
        "role",
        &format!("{} through {}; {used}", paint.bold(&clean_line(&right.role)), clean_line(&through)),
    );
    for (what, entries) in
        [("scopes", &right.unused.scopes), ("models", &right.unused.models), ("tools", &right.unused.tools)]
    {
        if !entries.is_empty() {
            line("", &clean_line(&format!("{what} not used for ninety days: {}", entries.join(", "))));
        }
    }
    for withheld in &right.withheld {
        let what = match &withheld.part {
            None => "all of it".to_owned(),
            Some(part) => told_part(part),
        };
        line("", &paint.red(&clean_line(&format!("taken back by a review ({}): {what}", withheld.id))));
    }
}
