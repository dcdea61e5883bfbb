//! What is measured of masking, natively and in Envoy: loading, whole bodies, speed by kind of text, beside its bars.

// Each bench uses a part of it.
#![allow(dead_code)]

pub mod clock;
pub mod load;
pub mod path;
pub mod scan;
pub mod texts;

/// A table that is written line by line.
pub struct Table<'s> {
    say: &'s mut dyn FnMut(&str),
    only: Option<String>,
    missed: usize,
}

impl<'s> Table<'s> {
    /// One that is written to `say`; `only`: with rows whose names contain this.
    pub fn new(say: &'s mut dyn FnMut(&str), only: Option<String>) -> Self {
        Self { say, only, missed: 0 }
    }

    /// Whether a row of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// The names of columns.
    pub fn head(&mut self, columns: &[&str]) {
        let mut line = format!("{:32}", columns.first().copied().unwrap_or_default());
        for (index, column) in columns.iter().enumerate().skip(1) {
            line.push_str(&if index == 3 { format!(" {column:4}") } else { format!(" {column:>10}") });
        }
        (self.say)("");
        (self.say)(line.trim_end());
    }

    /// A figure beside its bar, and more figures.
    pub fn row(&mut self, name: &str, figure: f64, bar: f64, reached: bool, rest: &[String]) {
        self.missed += usize::from(!reached);
        let shown = if figure < 20.0 { format!("{figure:.2}") } else { format!("{figure:.0}") };
        let mut line = format!("{name:32} {shown:>10} {bar:>10} {:4}", if reached { "" } else { "MISS" });
        rest.iter().for_each(|column| line.push_str(&format!(" {column:>10}")));
        (self.say)(line.trim_end());
    }

    /// How many figures missed their bars.
    pub fn missed(&self) -> usize {
        self.missed
    }
}

/// Measures all, in the order in which a VM meets it. `memory` says how many bytes it has taken, where it is known.
pub fn all(table: &mut Table<'_>, memory: impl Fn() -> Option<usize>) {
    /// Most memory of a VM, in MB.
    const MEMORY: f64 = 32.0;
    load::measure(table);
    path::measure(table);
    if let Some(bytes) = memory() {
        let megabytes = bytes as f64 / 1e6;
        table.head(&["MB", "memory", "bar", ""]);
        table.row("the VM after all of this", megabytes, MEMORY, megabytes < MEMORY, &[]);
    }
    scan::measure(table);
}
