//! What a held call would do, in sentences.

use sluice_engine::command::{Effect, Statement};
use sluice_engine::judge::{Command, commands};
use sluice_engine::policy::compile::Compiled;
use sluice_engine::policy::document::Language;
use sluice_engine::wire::HoldAsk;

use super::text::{Markup, Pointed, highlighted, marked, named};
use crate::records::text::{clean_line, short};

/// Sentences that a page shows; more are counted.
const SENTENCES: usize = 12;

/// What a held call would do.
pub struct Effects {
    /// One for each thing, as the sidecar read it from the original.
    pub told: Vec<Told>,
    /// How many there are beyond those.
    pub more: usize,
    /// The commands, as they can be read from what was masked.
    pub commands: Vec<Shown>,
    /// Whether something cannot be taken back, gives rights, or is not understood.
    pub grave: bool,
}

/// One thing that it would do.
pub struct Told {
    /// The effect's name.
    pub effect: String,
    /// The class of its colour.
    pub tone: &'static str,
    /// `Removes every row of `orders``, as a sentence.
    pub sentence: String,
    /// The same, with names marked as such.
    pub shown: Markup,
    /// Why it counts so, in the engine's words; empty where the sentence says it all.
    pub why: String,
}

/// A command as it is shown.
pub struct Shown {
    /// `SQL`, `Shell`.
    pub language: &'static str,
    /// The command.
    pub text: Markup,
}

impl Effects {
    /// Reads what is asked for. Effects were read by the sidecar from the original; objects are looked up in the masked
    /// preview, where it says the same.
    pub fn of(ask: &HoldAsk, compiled: Option<&Compiled>) -> Self {
        let tool = ask.tool.as_deref().unwrap_or_default();
        let commands = compiled.map(|compiled| commands(compiled, tool, &ask.preview)).unwrap_or_default();
        let mut statements: Vec<&Statement> =
            commands.iter().flat_map(|command| &command.reading.statements).collect();
        let mut told: Vec<Told> = Vec::new();
        let mut more = 0;
        let mut grave = false;
        for entry in &ask.effects {
            let (effect, why) = entry.split_once(": ").unwrap_or((entry, ""));
            grave |= is_grave(effect);
            let same = |statement: &&Statement| statement.effect.name() == effect && statement.why == why;
            let found = statements.iter().position(same).map(|at| statements.remove(at));
            let objects = found.map(|statement| statement.objects.as_slice()).unwrap_or_default();
            let sentence = sentence(why, objects);
            if told.iter().any(|one| one.effect == effect && one.sentence == sentence) {
                continue;
            }
            if told.len() >= SENTENCES {
                more += 1;
                continue;
            }
            let why = if sentence == why { String::new() } else { clean_line(why) };
            let shown = named(&sentence);
            told.push(Told { effect: clean_line(effect), tone: tone(effect), sentence, shown, why });
        }
        // The gravest first: it is what the decision is about.
        told.sort_by_key(|one| std::cmp::Reverse(weight(&one.effect)));
        Self { told, more, commands: commands.iter().map(shown).collect(), grave }
    }

    /// What it comes to, in one line.
    pub fn headline(ask: &HoldAsk, compiled: Option<&Compiled>) -> String {
        let first = Self::of(ask, compiled).told.into_iter().next();
        first.map_or_else(|| plain_headline(ask), |told| short(&told.sentence, 160))
    }
}

/// What is asked for where no command was read.
pub fn plain_headline(ask: &HoldAsk) -> String {
    use sluice_engine::policy::document::Part;
    let tool = ask.tool.as_deref().map(clean_line);
    match (&ask.definition, ask.part, tool) {
        (Some(key), ..) => format!(
            "Lets everyone use `{}` of {} as it is now",
            clean_line(&key.tool),
            clean_line(&key.server)
        ),
        (None, Part::ToolCall, Some(tool)) => format!("Calls {tool}"),
        (None, Part::ToolResult, Some(tool)) => format!("Shows the model what {tool} gave back"),
        (None, Part::ToolResult, None) => "Shows the model what a tool gave back".into(),
        _ => "Sends this to the model".into(),
    }
}

fn shown(command: &Command) -> Shown {
    let statements = &command.reading.statements;
    let grave = |effect: Effect| effect >= Effect::Write;
    let mut pointed: Vec<Pointed> = Vec::new();
    // Where all of it stands out, nothing does.
    if statements.iter().any(|statement| !grave(statement.effect)) {
        for statement in statements.iter().filter(|statement| grave(statement.effect)) {
            if pointed.last().is_some_and(|last| statement.text.start < last.at.end) {
                continue;
            }
            let tone = if is_grave(statement.effect.name()) { "deny" } else { "hold" };
            pointed.push(Pointed { at: statement.text.clone(), tone });
        }
    }
    let language = if command.language == Language::Sql { "SQL" } else { "Shell" };
    Shown { language, text: highlighted(&command.text, command.language, &pointed) }
}

/// The preview, where no command was read: JSON one field a line, text as it is.
pub fn preview(ask: &HoldAsk) -> Markup {
    // Of a request a reviewer may name parts, letter by letter.
    let json = serde_json::from_str(&ask.preview).ok().filter(serde_json::Value::is_object);
    let json = json.filter(|_| !ask.editable);
    json.map_or_else(|| marked(&ask.preview), |input| marked(&crate::records::steps::call(&input)))
}

/// Whether an effect cannot be taken back, gives rights, or is not understood.
fn is_grave(effect: &str) -> bool {
    weight(effect) >= Effect::Destroy as u8
}

fn weight(name: &str) -> u8 {
    Effect::ALL.into_iter().find(|effect| effect.name() == name).unwrap_or(Effect::Unknown) as u8
}

/// The class of an effect's colour.
pub fn tone(effect: &str) -> &'static str {
    match weight(effect) {
        w if w >= Effect::Destroy as u8 => "deny",
        w if w >= Effect::Write as u8 => "hold",
        _ => "allow",
    }
}

/// The engine's phrase with its objects in it: `DELETE without a WHERE ... removes every row`, of `orders`, is
/// `Removes every row of `orders``.
fn sentence(why: &str, objects: &[String]) -> String {
    const VERBS: [&str; 12] = [
        "adds", "changes", "creates", "deletes", "gives", "moves", "removes", "replaces", "runs", "sends",
        "starts", "writes",
    ];
    if objects.is_empty() {
        return clean_line(why);
    }
    let objects: Vec<String> =
        objects.iter().map(|name| format!("`{}`", short(&clean_line(name), 80))).collect();
    let objects = objects.join(", ");
    let words: Vec<&str> = why.split(' ').collect();
    let verb = words.iter().position(|word| VERBS.contains(word)).filter(|at| *at > 0);
    let Some(said) = verb.and_then(|at| words.get(at..)) else {
        return format!("{}: {objects}", clean_line(why));
    };
    let said = said.join(" ");
    let mut chars = said.chars();
    let said = chars.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default()
        + chars.as_str();
    let said = clean_line(&said);
    match said.rsplit_once(' ') {
        Some((_, "row")) => format!("{said} of {objects}"),
        Some(("Adds", "rows")) => format!("{said} to {objects}"),
        Some((_, "rows")) => format!("{said} of {objects}"),
        Some((start, thing)) if start.ends_with(" a") || start.ends_with(" an") => {
            let verb = start.trim_end_matches(" a").trim_end_matches(" an");
            format!("{verb} the {thing} {objects}")
        }
        _ => format!("{said}: {objects}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_s_phrase_becomes_a_sentence_about_its_objects() {
        let orders = ["orders".to_owned()];
        for (sql, expected) in [
            ("DELETE FROM orders", "Removes every row of `orders`"),
            ("DELETE FROM orders WHERE id = 7", "Removes rows of `orders`"),
            ("INSERT INTO orders VALUES (1)", "Adds rows to `orders`"),
            ("DROP TABLE orders", "Removes the table `orders`"),
            ("CREATE TABLE orders (id int)", "Creates the table `orders`"),
        ] {
            let reading = sluice_engine::command::sql(sql);
            let statement = reading.statements.iter().find(|one| one.effect != Effect::Read).unwrap();
            assert_eq!(sentence(&statement.why, &statement.objects), expected, "{sql}: {statement:?}");
        }
        assert_eq!(sentence("not understood", &[]), "not understood");
        assert_eq!(sentence("reads from the network", &orders), "reads from the network: `orders`");
    }
}
