//! A change of policy, written in a form: the files as they are, to be changed, and what is wrong with them where it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::failure::{Failure, sentence};
use super::form::{Form, Sent};
use super::page;
use super::shell::{Shell, Visitor};
use crate::http::proposals::{self, InForce, Refused};
use crate::http::{Control, Problem, Wanted};
use crate::policies::Fault;
use crate::proposals::Documents;
use crate::records::text::{clean_line, short};

/// The largest form: a policy has at most 4 MiB, and forms escape it.
pub const FORM_BYTES: usize = 12 << 20;

#[derive(Template)]
#[template(path = "propose.html")]
struct Page {
    shell: Shell,
    base: String,
    reason: String,
    files: Vec<File>,
    faults: Vec<Wrong>,
    notice: String,
}

/// A file in the form.
struct File {
    n: usize,
    name: String,
    text: String,
    rows: usize,
}

/// What is wrong, and where.
struct Wrong {
    /// The number of the file in the form.
    file: Option<usize>,
    place: String,
    field: String,
    why: String,
    /// What is written there.
    line: String,
}

/// `GET /policy/proposals/new`.
pub async fn form(visitor: Visitor, state: State<Arc<Control>>) -> Result<Response, Failure> {
    needs_author(&visitor, &state)?;
    let Json(current) = proposals::in_force(visitor.person.clone(), state.clone()).await?;
    let InForce { from_store, number, documents, .. } = current;
    if !from_store {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "policy comes from files here, and who can write them rules; change them, or have the service started with \
             --policy-from-store",
        )
        .into());
    }
    let base = number.map(|number| number.to_string()).unwrap_or_default();
    Ok(draw(&visitor, &state, base, String::new(), documents.into_iter().collect(), &[], String::new()))
}

fn needs_author(visitor: &Visitor, control: &Control) -> Result<(), Problem> {
    if visitor.person.is_author(control) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "policy is for its authors to change: the policy names their groups in `access.authors`, and you are in none",
    ))
}

fn draw(
    visitor: &Visitor,
    control: &Control,
    base: String,
    reason: String,
    mut files: Vec<(String, String)>,
    faults: &[Fault],
    notice: String,
) -> Response {
    let wrong = |fault: &Fault| {
        let file = files.iter().position(|(name, _)| *name == fault.file);
        let text = file.and_then(|at| files.get(at)).map_or("", |(_, text)| text);
        let line = fault.line.and_then(|line| text.lines().nth(line.checked_sub(1)?));
        let perhaps =
            fault.suggestion.as_ref().map(|other| format!("; perhaps `{other}`?")).unwrap_or_default();
        let place = match fault.line {
            Some(line) => format!("{}, line {line}", fault.file),
            None => fault.file.clone(),
        };
        Wrong {
            file,
            place: clean_line(if place.is_empty() { "the policy" } else { &place }),
            field: clean_line(fault.field.as_deref().unwrap_or_default()),
            why: clean_line(&format!("{}{perhaps}", fault.why)),
            line: short(&clean_line(line.unwrap_or_default().trim_end()), 200),
        }
    };
    let faults: Vec<Wrong> = faults.iter().map(wrong).collect();
    // One more, for a file that is new.
    files.push((String::new(), String::new()));
    let file = |(n, (name, text)): (usize, (String, String))| File {
        n,
        name,
        rows: text.lines().count().clamp(if text.is_empty() { 3 } else { 8 }, 24),
        text,
    };
    let status = match (faults.is_empty(), notice.is_empty()) {
        (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (true, false) => StatusCode::BAD_REQUEST,
        (true, true) => StatusCode::OK,
    };
    let shown = page(&Page {
        shell: visitor.policy(control, "Propose a change", "/policy/proposals"),
        base,
        reason,
        files: files.into_iter().enumerate().map(file).collect(),
        faults,
        notice,
    });
    (status, shown).into_response()
}

/// `POST /policy/proposals`.
pub async fn propose(state: State<Arc<Control>>, Sent { visitor, form }: Sent) -> Result<Response, Failure> {
    needs_author(&visitor, &state)?;
    let files = written(&form);
    let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
    let (base, reason) = (text("base"), text("reason"));
    let again = |faults: &[Fault], notice: String| {
        draw(&visitor, &state, base.clone(), reason.clone(), files.clone(), faults, notice)
    };
    let mut documents: Documents = BTreeMap::new();
    // A file without a text is a file that is gone.
    for (name, text) in files.iter().filter(|(_, text)| !text.trim().is_empty()) {
        if name.is_empty() {
            return Ok(again(&[], "A file has no name: give it one that ends in .yaml.".into()));
        }
        if documents.insert(name.clone(), text.clone()).is_some() {
            return Ok(again(&[], format!("Two files are called {}.", clean_line(name))));
        }
    }
    let wanted = Wanted { documents, base: base.parse().ok(), reason: reason.clone() };
    let body = serde_json::to_vec(&wanted).map_err(|_| Problem::bad_request("the form cannot be read"))?;
    match proposals::propose(visitor.person.clone(), state.clone(), Bytes::from(body)).await {
        Ok((_, Json(proposal))) => {
            Ok(Redirect::to(&format!("/policy/proposals/{}", proposal.id)).into_response())
        }
        Err(Refused::Faults(faults)) => Ok(again(&faults, String::new())),
        // What was written is not lost over a number or a reason.
        Err(Refused::Problem(problem)) if problem.status < 500 => {
            Ok(again(&[], sentence(&clean_line(&problem.detail))))
        }
        Err(Refused::Problem(problem)) => Err(problem.into()),
    }
}

/// The files of the form by name and text, with line ends as files have them.
fn written(form: &Form) -> Vec<(String, String)> {
    let file = |n: u32| {
        let name = form.text(&format!("name-{n}")).unwrap_or_default().to_owned();
        let text = form.raw(&format!("text-{n}")).unwrap_or_default().replace("\r\n", "\n");
        (name, text)
    };
    let files = form.numbered("text").into_iter().map(file);
    files.filter(|(name, text)| !name.is_empty() || !text.trim().is_empty()).collect()
}
