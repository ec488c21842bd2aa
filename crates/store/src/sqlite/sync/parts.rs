//! Rows in parts of few different lengths.

/// From the longest on. Pages of sources have round numbers of rows. With twenty-one parameters in the widest row, the longest
/// stays below SQLite's 32,766 for a statement.
const LENGTHS: [usize; 5] = [500, 100, 20, 5, 1];

/// Cuts rows into parts, so that statements which write as many rows have few different texts and stay prepared. To
/// prepare one of 500 rows takes a sixth of the time that it runs.
pub(super) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = LENGTHS.into_iter().find(|length| *length <= rows.len())?;
        let (part, rest) = rows.split_at(length);
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: usize, expected: &[usize]) {
        let rows: Vec<usize> = (0..rows).collect();
        let parts: Vec<&[usize]> = parts(&rows).collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, expected);
        assert_eq!(parts.concat(), rows);
    }

    #[test]
    fn every_row_is_in_one_part() {
        check(0, &[]);
        check(1, &[1]);
        check(500, &[500]);
        check(507, &[500, 5, 1, 1]);
        check(1_121, &[500, 500, 100, 20, 1]);
        check(
            499,
            &[100, 100, 100, 100, 20, 20, 20, 20, 5, 5, 5, 1, 1, 1, 1],
        );
    }
}
