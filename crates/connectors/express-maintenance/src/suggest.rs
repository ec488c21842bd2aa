//! What somebody may have meant.

/// Returns `; did you mean ...?` with the known name that is nearest, or nothing when none is near.
pub(crate) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let wanted = plain(wanted);
    let allowed = wanted.chars().count().max(2) / 3;
    known
        .into_iter()
        .map(|name| (strsim::levenshtein(&wanted, &plain(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// Case, blanks and signs are what people get wrong without noticing.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|sign| sign.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
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
}
