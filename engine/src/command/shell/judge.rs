//! What each command of a script would do.

use std::borrow::Cow;
use std::ops::Range;

use super::flags::{self, Flag};
use super::script::{Command, Direction, HOLE, Redirect, Script, Word};
use super::{
    Act, builtins, clients, cloud, files, known_flags, programs, servers, subcommands, variables, wrappers,
};
use crate::command::{Effect, MAX_OBJECTS};

/// Where commands are judged, and what was found.
pub struct Judge {
    /// What was found, in order.
    pub acts: Vec<Act>,
    /// How deep in scripts within scripts this is.
    pub nesting: usize,
    /// Whether anything was said of the program that is judged.
    said: bool,
    /// How many programs that start programs are around the one that is judged.
    wrapped: usize,
    /// Where the command that is judged stands.
    place: Range<usize>,
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// What the shell itself has: a terminal, or what feeds the whole script.
    Inherited,
    /// This text.
    Known(String),
    /// Something that is only known when it runs; perhaps this.
    Unknown(String),
}

/// A program with its arguments, as it is judged.
pub struct Call<'a> {
    /// The program's name without its directory.
    pub name: &'a str,
    /// Its arguments.
    pub words: &'a [Word],
    /// Its standard input.
    pub input: &'a Input,
}

/// Directories whose programs are what their names say.
const SYSTEM_DIRECTORIES: [&str; 8] = [
    "/bin",
    "/usr/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/snap/bin",
];

/// How many programs that start programs (`sudo env nice ...`) are followed.
const MAX_WRAPPED: usize = 16;

/// The longest command for which variables are guessed, in bytes.
const MAX_GUESS: usize = 1 << 16;

impl Judge {
    /// A judge that has found nothing.
    pub fn new(nesting: usize) -> Self {
        Self { acts: Vec::new(), nesting, said: false, wrapped: 0, place: 0..0 }
    }

    /// Records what the command that is judged does.
    pub fn add(&mut self, effect: Effect, why: impl Into<Cow<'static, str>>) {
        self.add_to(effect, why, Vec::new());
    }

    /// The same, with the files or other things that it touches.
    pub fn add_to(&mut self, effect: Effect, why: impl Into<Cow<'static, str>>, objects: Vec<String>) {
        self.said = true;
        let here = self.acts.iter().rev().take_while(|act| act.text == self.place);
        if here.take(64).any(|act| act.effect == effect && act.objects == objects) {
            return;
        }
        self.acts.push(Act { effect, why: why.into(), objects, text: self.place.clone() });
    }

    /// Judges every command of a script.
    pub fn script(&mut self, script: &Script) {
        for (at, command) in script.commands.iter().enumerate() {
            self.place = command.text.clone();
            let before = at.checked_sub(1).and_then(|before| script.commands.get(before));
            self.command(command, &input(command, before));
        }
    }

    /// Judges a script that stands inside a command.
    pub fn inner_script(&mut self, text: &str) {
        for act in super::acts(text, self.nesting + 1) {
            self.add_to(act.effect, act.why, act.objects);
        }
    }

    /// Judges SQL that stands inside a command.
    pub fn inner_sql(&mut self, text: &str) {
        for statement in crate::command::sql(text).statements {
            self.add_to(statement.effect, statement.why, statement.objects);
        }
    }

    fn command(&mut self, command: &Command, input: &Input) {
        for redirect in &command.redirects {
            self.redirect(redirect);
        }
        let alone = command.words.is_empty();
        for (name, _) in &command.assignments {
            self.assignment(name, alone);
        }
        if alone {
            return self.add(Effect::Read, "sets variables or redirects");
        }
        self.words(&command.words, input);
        if command.words.iter().any(|word| word.text.contains(HOLE)) {
            self.guess(&command.words, input);
        }
    }

    /// What the command would do if variables hold what the script put there. Only adds.
    fn guess(&mut self, words: &[Word], input: &Input) {
        let mut guessed = Vec::new();
        if words.iter().map(|word| word.guess.len()).sum::<usize>() > MAX_GUESS {
            return;
        }
        for word in words {
            if word.splits {
                guessed.extend(word.guess.split_whitespace().map(Word::plain));
            } else {
                guessed.push(Word::plain(&word.guess));
            }
        }
        let mut judge = Self {
            acts: Vec::new(),
            nesting: self.nesting + 1,
            said: false,
            wrapped: 0,
            place: self.place.clone(),
        };
        if judge.nesting <= super::MAX_NESTING {
            judge.words(&guessed, input);
        }
        judge
            .acts
            .into_iter()
            .filter(|act| act.effect > Effect::Transaction)
            .for_each(|act| self.add_to(act.effect, act.why, act.objects));
    }

    fn redirect(&mut self, redirect: &Redirect) {
        match redirect.direction {
            Direction::To => match redirect.target.known() {
                Some(
                    "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "/dev/fd/1" | "/dev/fd/2",
                ) => {}
                Some(path) => files::written(self, path, "a redirection writes a file"),
                None => self.add(Effect::Write, "a redirection writes a file"),
            },
            Direction::From => {
                if redirect.target.text.starts_with("/dev/tcp")
                    || redirect.target.text.starts_with("/dev/udp")
                {
                    self.add(Effect::Unknown, "a redirection from a connection");
                }
            }
            Direction::Duplicate => {
                if redirect.target.text.contains(HOLE) {
                    self.add(Effect::Write, "a redirection that is only known when it runs");
                }
            }
            Direction::Text => {}
        }
    }

    /// A variable that is set: for good where `alone`, else for one command.
    fn assignment(&mut self, name: &str, alone: bool) {
        let acts = match alone {
            true => variables::acts(name),
            false => !variables::is_harmless(name),
        };
        if acts {
            self.add(Effect::Unknown, variables::MAY_ACT);
        }
    }

    /// Variables that are set by `env` or `export`.
    pub fn exported(&mut self, name: &str) {
        self.assignment(name, false);
    }

    /// A variable that is declared for the script alone.
    pub fn declared(&mut self, name: &str) {
        self.assignment(name, true);
    }

    /// Judges a program and its arguments.
    pub fn words(&mut self, words: &[Word], input: &Input) {
        if self.wrapped >= MAX_WRAPPED {
            return self.add(Effect::Unknown, "more programs that start programs than are followed");
        }
        self.wrapped += 1;
        self.said = false;
        self.program(words, input);
        if !self.said {
            self.add(Effect::Unknown, "a program of which nothing can be said");
        }
        self.wrapped -= 1;
    }

    fn program(&mut self, words: &[Word], input: &Input) {
        let Some((first, rest)) = words.split_first() else {
            return self.add(Effect::Unknown, "no program");
        };
        let Some(program) = first.known() else {
            return self.add(Effect::Unknown, "the program is only known when it runs");
        };
        let name = match program.rsplit_once('/') {
            None => program,
            Some((directory, name)) if SYSTEM_DIRECTORIES.contains(&directory) => name,
            Some(_) => return self.add(Effect::Unknown, "a program of its own path"),
        };
        let call = Call { name, words: rest, input };
        let judged = wrappers::judge(self, &call)
            || builtins::judge(self, &call)
            || clients::judge(self, &call)
            || servers::judge(self, &call)
            || known_flags::judge(self, &call)
            || files::judge(self, &call)
            || cloud::judge(self, &call)
            || subcommands::judge(self, &call);
        if !judged {
            self.by_table(&call);
        }
    }

    fn by_table(&mut self, call: &Call<'_>) {
        let name = call.name;
        if programs::looks(name) {
            return self.add(Effect::Read, format!("{name} only looks"));
        }
        if let Some((flags, effect, why)) = programs::looks_unless(name) {
            return match flags::find(call.words, flags) {
                Flag::Absent => self.add(Effect::Read, format!("{name} only looks")),
                Flag::Present => self.add(effect, why),
                Flag::Possible => {
                    self.add(Effect::Unknown, format!("an argument of {name} may be a flag that acts"))
                }
            };
        }
        if asks_for_version(call.words) && programs::tells_its_version(name) {
            return self.add(Effect::Read, format!("{name} tells its version"));
        }
        match programs::acts(name) {
            Some(_) if programs::looks_with(name, call.words) => {
                self.add(Effect::Read, format!("{name} only looks"))
            }
            Some((effect, why)) => self.add_to(effect, format!("{name} {why}"), operands(call.words)),
            None => self.add(
                Effect::Unknown,
                "a program that is not known, or that runs code which does not stand here",
            ),
        }
    }
}

/// Whether the only argument asks for a version or for help.
pub fn asks_for_version(words: &[Word]) -> bool {
    let [only] = words else { return false };
    matches!(only.known(), Some("--version" | "-V" | "-v" | "--help" | "version"))
}

/// The arguments that are no flags, for a person to see.
pub fn operands(words: &[Word]) -> Vec<String> {
    let known = words
        .iter()
        .filter_map(Word::known)
        .filter(|text| !text.starts_with('-') && text.len() <= 128 && !text.contains("://"));
    known.take(MAX_OBJECTS).map(str::to_owned).collect()
}

/// What feeds the standard input of a command.
fn input(command: &Command, before: Option<&Command>) -> Input {
    for redirect in command.redirects.iter().rev() {
        match redirect.direction {
            Direction::Text if redirect.target.text.contains(HOLE) => {
                return Input::Unknown(redirect.target.guess.clone());
            }
            Direction::Text => return Input::Known(redirect.target.text.clone()),
            Direction::From | Direction::Duplicate => return Input::Unknown(String::new()),
            Direction::To => {}
        }
    }
    match before {
        Some(before) if command.piped => printed(before),
        _ if command.fed || command.piped => Input::Unknown(String::new()),
        _ => Input::Inherited,
    }
}

/// What a command prints, where it only echoes.
fn printed(command: &Command) -> Input {
    let Some((name, mut words)) = command.words.split_first() else { return Input::Unknown(String::new()) };
    let name = name.known().unwrap_or_default();
    if name == "cat" && words.is_empty() {
        return input(command, None);
    }
    if !matches!(name, "echo" | "printf") {
        return Input::Unknown(String::new());
    }
    while let Some((flag, rest)) = words.split_first()
        && matches!(flag.text.as_str(), "-n" | "-e" | "-E" | "-ne" | "-en")
        && name == "echo"
    {
        words = rest;
    }
    let guess: Vec<_> = words.iter().map(|word| word.guess.as_str()).collect();
    let guess = guess.join(" ");
    // Escapes and formats make other text of what stands here.
    let exact = words.iter().all(|word| word.known().is_some()) && !guess.contains(['\\', '%']);
    if exact { Input::Known(guess) } else { Input::Unknown(guess) }
}
