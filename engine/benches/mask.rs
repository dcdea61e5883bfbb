//! Speed of masking on this machine, natively: `cargo bench -p sluice-engine --bench mask`. What a filter reaches is
//! what the same figures are in Envoy's V8: `make bench-mask`.

mod measure;

use measure::Table;

fn main() {
    let mut say = |line: &str| println!("{line}");
    let mut table = Table::new(&mut say);
    measure::all(&mut table, || None);
}
