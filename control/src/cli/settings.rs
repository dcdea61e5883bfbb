//! Settings of `sluice serve` from a file: `--config FILE`, YAML, one key for each long flag. A flag comes before the
//! environment, that before the file, and the file before the default.
//!
//! The values of the file become the defaults of the arguments, so that every other rule about them stays theirs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use serde::Deserialize;

/// The command whose settings may stand in a file.
const SERVE: &str = "serve";

/// The flag that names the file, and its variable in the environment.
const FLAG: &str = "config";
const VARIABLE: &str = "SLUICE_CONFIG";

/// Arguments that say the same in two ways. One that is given on the command line or in the environment stands for both.
const EITHER: [[&str; 2]; 1] = [["database", "database_file"]];

/// A value in the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Switch(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    fn texts(self) -> Vec<String> {
        match self {
            Self::Switch(on) => vec![on.to_string()],
            Self::Number(number) => vec![number.to_string()],
            Self::Text(text) => vec![text],
            Self::List(texts) => texts,
        }
    }
}

/// Reads the arguments, and the file that they or the environment name.
///
/// # Errors
/// What is wrong with the file, in words. What is wrong with the arguments ends the process, as clap has it.
pub fn matches(command: Command, arguments: Vec<OsString>) -> Result<ArgMatches, String> {
    let Some(path) = file(&arguments) else { return Ok(command.get_matches_from(arguments)) };
    let mut values = read(&path, &command)?;
    let with = |values: &BTreeMap<String, Value>| {
        let values = values.clone();
        command.clone().mut_subcommand(SERVE, |serve| {
            values.into_iter().fold(serve, |serve, (name, value)| {
                let id = serve.get_arguments().find(|arg| arg.get_long() == Some(&name));
                let Some(id) = id.map(|arg| arg.get_id().clone()) else { return serve };
                serve.mut_arg(id, |arg| arg.required(false).default_values(value.texts()))
            })
        })
    };
    let matches = with(&values).get_matches_from(&arguments);
    let Some(serve) = matches.subcommand_matches(SERVE) else { return Ok(matches) };
    let given = |id: &str| {
        matches!(serve.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let all = values.len();
    for [one, other] in EITHER {
        for (given_id, other_id) in [(one, other), (other, one)] {
            if given(given_id) {
                values.remove(&other_id.replace('_', "-"));
            }
        }
    }
    Ok(if values.len() == all { matches } else { with(&values).get_matches_from(arguments) })
}

/// The file that is named: by the flag behind `serve`, or by the environment.
fn file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter().skip_while(|argument| *argument != SERVE);
    rest.next()?;
    let mut rest = rest.filter_map(|argument| argument.to_str());
    let long = format!("--{FLAG}");
    while let Some(argument) = rest.next() {
        match argument.strip_prefix(&long) {
            Some("") => return rest.next().map(PathBuf::from),
            Some(value) if value.starts_with('=') => return value.get(1..).map(PathBuf::from),
            _ => {}
        }
    }
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn read(path: &Path, command: &Command) -> Result<BTreeMap<String, Value>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(BTreeMap::new());
    }
    let values: BTreeMap<String, Value> = serde_saphyr::from_str(&text).map_err(|e| {
        format!(
            "{}: {e}\nit is YAML with one key for each flag, as in `listen: 127.0.0.1:9901`",
            path.display()
        )
    })?;
    let serve = command.find_subcommand(SERVE);
    let longs = serve.into_iter().flat_map(Command::get_arguments).filter_map(|arg| arg.get_long());
    let known: Vec<&str> = longs.filter(|long| *long != FLAG && *long != "help").collect();
    for name in values.keys() {
        if !known.contains(&name.as_str()) {
            return Err(format!(
                "{}: there is no setting `{name}`; each is named as the flag of `sluice serve`: {}",
                path.display(),
                known.join(", ")
            ));
        }
    }
    for [one, other] in EITHER.map(|pair| pair.map(|id| id.replace('_', "-"))) {
        if values.contains_key(&one) && values.contains_key(&other) {
            return Err(format!("{}: `{one}` and `{other}` say the same; keep one of them", path.display()));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn command() -> Command {
        let serve = Command::new("serve")
            .arg(Arg::new("config").long("config"))
            .arg(Arg::new("policy").long("policy").required(true))
            .arg(Arg::new("listen").long("listen").default_value("built-in").env("SLUICE_TEST_LISTEN"))
            .arg(Arg::new("limit").long("limit").value_parser(clap::value_parser!(u32)))
            .arg(Arg::new("loud").long("loud").action(ArgAction::SetTrue))
            .arg(Arg::new("database").long("database").conflicts_with("database_file"))
            .arg(Arg::new("database_file").long("database-file"));
        Command::new("sluice").subcommand(serve).subcommand(Command::new("other"))
    }

    fn with(text: &str, more: &[&str]) -> Result<ArgMatches, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sluice.yaml");
        std::fs::write(&path, text).unwrap();
        let mut arguments: Vec<OsString> = ["sluice", "serve", "--config"].map(OsString::from).into();
        arguments.push(path.into());
        arguments.extend(more.iter().map(OsString::from));
        matches(command(), arguments)
    }

    fn one(matches: &ArgMatches, id: &str) -> Option<String> {
        matches.subcommand_matches("serve").unwrap().get_one::<String>(id).cloned()
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
        let text = "# how it runs\npolicy: in-file\nlisten: in-file\nlimit: 7\nloud: true\n";
        let read = with(text, &[]).unwrap();
        assert_eq!(one(&read, "policy").unwrap(), "in-file");
        assert_eq!(one(&read, "listen").unwrap(), "in-file");
        let serve = read.subcommand_matches("serve").unwrap();
        assert_eq!((serve.get_one::<u32>("limit"), serve.get_flag("loud")), (Some(&7), true));
        assert_eq!(one(&with(text, &["--listen", "flag"]).unwrap(), "listen").unwrap(), "flag");
        assert_eq!(one(&with("policy: p", &[]).unwrap(), "listen").unwrap(), "built-in");
    }

    #[test]
    fn what_is_given_in_another_way_takes_the_place_of_the_files() {
        let read = with("policy: p\ndatabase-file: in-file\n", &["--database", "flag"]).unwrap();
        assert_eq!((one(&read, "database"), one(&read, "database_file")), (Some("flag".into()), None));
        let both = with("policy: p\ndatabase: a\ndatabase-file: b\n", &[]).unwrap_err();
        assert!(both.contains("keep one of them"), "{both}");
    }

    #[test]
    fn unknown_keys_keys_that_stand_twice_and_what_is_no_yaml_are_refused() {
        for (text, word) in [
            ("policy: p\nlisen: x\n", "there is no setting `lisen`"),
            ("policy: p\nconfig: x\n", "there is no setting `config`"),
            ("policy: p\npolicy: q\n", "policy"),
            ("policy: {a: b}\n", "YAML"),
            ("- policy\n", "YAML"),
        ] {
            let said = with(text, &[]).unwrap_err();
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}
