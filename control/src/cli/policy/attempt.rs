//! `sluice policy try`.

use std::fs;
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::print::{Paint, clean, clean_line, say};
use crate::cli::{Failure, Outcome, Output, Service};
use crate::http::Trial;

/// Try a request on the policy that is in force: its verdict, and what the model and the caller would get.
///
/// The service judges it on the engine that the sidecars run; nothing is sent or recorded. `sluice policy explain` does
/// the same for policy files, without a service.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  \
    sluice policy try --subject ann --group writers --prompt 'mail jane@example.com'\n  \
    sluice policy try --group writers --request body.json --reply reply.json")]
pub struct Try {
    #[command(flatten)]
    service: Service,
    /// Who would call.
    #[arg(long, value_name = "NAME", default_value = "someone")]
    subject: String,
    /// A group of the caller; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A scope that the caller's token is narrowed to; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The issuer of the caller's token, by its name in the policy. Default: the policy's first.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// What they say, in a request of its own.
    #[arg(long, value_name = "TEXT", conflicts_with = "request")]
    prompt: Option<String>,
    /// The model that is asked, with --prompt.
    #[arg(long, value_name = "MODEL", default_value = "claude-sonnet-4-5")]
    model: String,
    /// A file with the request's body. Default: a short prompt.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// A file with the model's reply, as one JSON message.
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    /// How to write it.
    #[arg(long, default_value = "text")]
    output: Output,
}

impl Try {
    pub async fn run(self) -> Outcome {
        let request = match (&self.request, self.prompt) {
            (Some(path), _) => read(path)?,
            (None, Some(said)) => {
                json!({"model": self.model, "max_tokens": 1024, "messages": [{"role": "user", "content": said}]})
            }
            (None, None) => Value::Null,
        };
        let scopes = (!self.scopes.is_empty()).then_some(self.scopes);
        let reply = self.reply.as_deref().map(read).transpose()?;
        let trial =
            Trial { subject: self.subject, groups: self.groups, issuer: self.issuer, scopes, request, reply };
        let body = serde_json::to_string(&trial).map_err(Failure::cannot)?;
        let tried: Value = self.service.json(Method::POST, "/v1/policy/trial", Some(body)).await?;
        match self.output {
            Output::Json => say(&tried.to_string()),
            Output::Text => tell(&tried),
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let failed = |why: String| Failure::cannot(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| failed(format!("is no JSON: {e}")))
}

fn tell(tried: &Value) {
    let paint = Paint::detect();
    let text = |pointer: &str| tried.pointer(pointer).and_then(Value::as_str).map(clean_line);
    let line = |name: &str, value: &str| say(&format!("{} {value}", paint.dim(&format!("{name:<8}"))));
    let verdict = match text("/outcome/verdict").as_deref() {
        Some("deny") => paint.red("deny"),
        Some("hold") => paint.yellow("hold"),
        _ => paint.green("allow"),
    };
    let by = text("/outcome/rule").map(|rule| format!(" by {rule}")).unwrap_or_default();
    line("verdict", &format!("{verdict}{by}"));
    if let Some(status) = tried.pointer("/outcome/status") {
        line("status", &status.to_string());
    }
    let list = |pointer: &str| tried.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    for role in list("/roles").filter_map(|role| role.get("role")?.as_str()) {
        line("role", &clean_line(role));
    }
    for message in list("/outcome/messages").filter_map(Value::as_str) {
        line("says", &clean_line(message));
    }
    for (name, field) in [("model", "forwarded"), ("caller", "returned")] {
        if let Some(body) = tried.get(field).and_then(Value::as_str) {
            line(name, &paint.masks(&clean(body)));
        }
    }
}
