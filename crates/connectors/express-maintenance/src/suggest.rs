//! What somebody may have meant.

/// Returns `; did you mean ...?` with the known name that is nearest, or nothing when none is near.
pub(crate) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let wanted = plain(wanted);
    let allowed = wanted.len().max(2) / 3;
    known
        .into_iter()
        .map(|name| (distance(&wanted, &plain(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// Case, blanks and signs are what people get wrong without noticing.
fn plain(name: &str) -> Vec<char> {
    name.chars()
        .filter(|sign| sign.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Counts the signs to insert, remove or replace.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.iter().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, expected: &str) {
        let known = ["RecordNumber", "Part Number", "Vendor", "VendorID"];
        let expected = match expected {
            "" => String::new(),
            name => format!("; did you mean `{name}`?"),
        };
        assert_eq!(did_you_mean(wanted, known), expected);
    }

    #[test]
    fn the_nearest_name_is_offered() {
        check("Prt Number", "Part Number");
        check("part_number", "Part Number");
        check("Recordnumber", "RecordNumber");
        check("vendor id", "VendorID");
        check("Vendro", "Vendor");
        check("Cost", "");
        check("", "");
    }

    #[test]
    fn edits_are_counted() {
        let count = |left: &str, right: &str| distance(&plain(left), &plain(right));
        assert_eq!(count("kitten", "sitting"), 3);
        assert_eq!(count("", "abc"), 3);
        assert_eq!(count("abc", ""), 3);
        assert_eq!(count("flaw", "lawn"), 2);
    }
}
