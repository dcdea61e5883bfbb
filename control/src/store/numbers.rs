//! Values of a statement by their numbers, which both databases understand.

/// `$2, $3, $4`: so many, from `first` on.
pub fn numbers(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    numbers.join(", ")
}

/// `($1, $2), ($3, $4)`: rows of them.
pub fn rows_of(rows: usize, columns: usize) -> String {
    let row = |row: usize| format!("({})", numbers(row * columns + 1, columns));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
