//! Speed of masking on this machine, natively: `cargo bench -p sluice-engine --bench mask`. What a filter reaches is
//! what the same figures are in Envoy's V8: `make bench-mask`. `-- NAME` for rows with a name only.

mod measure;

use measure::Table;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut say = |line: &str| println!("{line}");
    let mut table = Table::new(&mut say, only);
    measure::all(&mut table, || None);
}
