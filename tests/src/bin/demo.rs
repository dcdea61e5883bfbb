//! `make demo`: a tour in the terminal. Every step checks what it shows; the exit code says whether all happened.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use sluice_tests::client::Reply;
use sluice_tests::prompt::Prompt;
use sluice_tests::reply::Said;
use sluice_tests::stack::{Settings, Stack};

type Failure = Box<dyn std::error::Error>;

/// The session that the tour leaves behind, as a client would name it.
const SESSION: &str = "5a1c7e9d-8f4b-4d7e-b1a2-0123456789ab";
/// Time to read a step.
const PAUSE: Duration = Duration::from_millis(1500);

#[tokio::main]
async fn main() -> ExitCode {
    match tour().await {
        Ok(()) => {
            println!("\n{}", bold("Every step happened."));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("\n{} {failure}", bold("This step did not happen:"));
            ExitCode::FAILURE
        }
    }
}

async fn tour() -> Result<(), Failure> {
    println!("{}", bold("Starting control, Envoy with the filter, and a stand-in for the model ..."));
    let stack = Stack::start(Settings::default()).await?;
    let tour = Tour {
        reader: stack.token("ria (reader)", &["readers"])?,
        writer: stack.token("walt (writer)", &["writers"])?,
        approver: stack.token("ada (approver)", &["approvers"])?,
        stack,
    };
    println!("The agent talks to {}, as it would to api.anthropic.com.", tour.stack.url);
    tour.masked_in().await?;
    tour.masked_out().await?;
    tour.refused().await?;
    tour.blocked().await?;
    tour.held().await?;
    tour.replayed().await
}

struct Tour {
    stack: Stack,
    reader: String,
    writer: String,
    approver: String,
}

impl Tour {
    async fn masked_in(&self) -> Result<(), Failure> {
        step("1. Masked on the way in: the model never sees the address or the card").await;
        let text = "Send the invoice to jane.doe@example.com, card 4111 1111 1111 1111.";
        show("ria asks", text);
        let said = self.said(&Prompt::new(text), &self.reader).await?;
        let arrived = self.stack.arrived("Send the invoice").await?;
        let arrived = arrived.last().ok_or("the request never reached the model")?;
        let body: serde_json::Value = serde_json::from_str(&arrived.body)?;
        let seen = body.pointer("/messages/0/content").and_then(|text| text.as_str()).unwrap_or_default();
        show("the model reads", seen);
        check(!seen.contains("jane.doe@") && !seen.contains("4111"), "a value reached the model")?;
        show("ria reads", &said.text());
        check(said.text().contains("jane.doe@example.com"), "her own value did not come back to her")
    }

    async fn masked_out(&self) -> Result<(), Failure> {
        step("2. Masked on the way out, in a stream, three bytes at a time").await;
        let prompt = Prompt::new("recall: customer\nchunk: 3").streamed();
        show("the model writes", sluice_tests::stand_in::cues::CUSTOMER);
        let said = self.said(&prompt, &self.reader).await?;
        show("ria reads", &said.text());
        check(said.text().contains("The customer is Jane Doe"), "the reply did not come")?;
        for value in ["jane.doe@example.com", "4111 1111 1111 1111", "536-22-8145"] {
            check(!said.text().contains(value), "a value left")?;
        }
        Ok(())
    }

    async fn refused(&self) -> Result<(), Failure> {
        step("3. A right that nobody gave: a reader starts a batch").await;
        let url = format!("{}/v1/messages/batches", self.stack.url);
        let ask = sluice_tests::client::Ask::post(url, json!({ "requests": [] }).to_string());
        let reply = ask.bearer(&self.reader).send().await?;
        show(&format!("HTTP {}", reply.status), &reply.error_message());
        check(reply.status == 403, "it was not refused")
    }

    async fn blocked(&self) -> Result<(), Failure> {
        step("4. Blocked: the model calls a tool with DROP DATABASE").await;
        let prompt =
            Prompt::new(r#"call: query_db {"sql":"DROP DATABASE shop"}"#).tool("query_db").streamed();
        show("the model calls", "query_db: DROP DATABASE shop");
        let said = self.said(&prompt, &self.writer).await?;
        show("walt's agent reads", &said.text());
        check(said.calls().is_empty(), "the call reached the agent")?;
        check(said.stop_reason.as_deref() == Some("end_turn"), "the agent would wait for a tool")
    }

    async fn held(&self) -> Result<(), Failure> {
        step("5. Held: a write waits until somebody else agrees").await;
        let sql = "UPDATE prices SET amount = 9.99 WHERE sku = 'A-1'";
        let prompt = Prompt::new(&format!("call: query_db {}", json!({ "sql": sql }))).tool("query_db");
        show("the model calls", &format!("query_db: {sql}"));
        let ask = self.ask(&prompt.streamed(), &self.writer);
        let waiting = tokio::spawn(ask.send());
        let control = self.stack.control()?;
        let hold = control.wait_for_hold("UPDATE prices").await?;
        show("waits", &format!("hold {} by rule {}: {}", hold.id, hold.rule, hold.preview));
        let own = control.decide("approve", &hold.id, "trust me", &self.writer);
        show("walt approves", "refused: nobody approves their own request");
        check(own.is_err(), "the requester approved")?;
        tokio::time::sleep(PAUSE).await;
        check(!waiting.is_finished(), "it did not wait")?;
        control.decide("approve", &hold.id, "price agreed with sales", &self.approver)?;
        show("ada approves", "price agreed with sales");
        let said = Said::read(&waiting.await??)?;
        let calls = said.calls();
        check(calls.len() == 1, "the call never reached the agent")?;
        show("walt's agent gets", &format!("{calls:?}"));
        Ok(())
    }

    async fn replayed(&self) -> Result<(), Failure> {
        step("6. Replayed: the session as the record has it").await;
        let control = self.stack.control()?;
        let mut replay = String::new();
        // The end of the last exchange is sent in a batch.
        for _ in 0..50 {
            replay = control.sluice(&["replay", SESSION])?;
            if replay.contains("writes-need-a-second-person") && replay.contains("no-destruction") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("{replay}");
        check(replay.contains("no-destruction"), "the refusal is not in the record")?;
        check(replay.contains("writes-need-a-second-person"), "the hold is not in the record")?;
        check(!replay.contains("jane.doe@example.com"), "a value stands in the record")?;
        let verified = control.sluice(&["records", "verify"])?;
        show("records verify", verified.trim());
        Ok(())
    }

    fn ask(&self, prompt: &Prompt, token: &str) -> sluice_tests::client::Ask {
        prompt.ask(&self.stack.url, token).header("x-claude-code-session-id", SESSION)
    }

    async fn said(&self, prompt: &Prompt, token: &str) -> Result<Said, Failure> {
        let reply: Reply = self.ask(prompt, token).send().await?;
        if reply.status != 200 {
            return Err(format!("HTTP {}: {}", reply.status, reply.text()).into());
        }
        Ok(Said::read(&reply)?)
    }
}

async fn step(title: &str) {
    tokio::time::sleep(PAUSE).await;
    println!("\n{}", bold(title));
}

fn show(who: &str, what: &str) {
    println!("   {who:>18} | {}", what.replace('\n', "\n                      | "));
}

fn check(happened: bool, otherwise: &str) -> Result<(), Failure> {
    if happened { Ok(()) } else { Err(otherwise.into()) }
}

fn bold(text: &str) -> String {
    use std::io::IsTerminal as _;
    let plain = std::env::var_os("NO_COLOR").is_some() || !std::io::stdout().is_terminal();
    if plain { text.to_owned() } else { format!("\x1b[1m{text}\x1b[0m") }
}
