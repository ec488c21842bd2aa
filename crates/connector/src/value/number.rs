//! Decimals, always from their digits and never through a double.

use rust_decimal::Decimal;

/// Reads digits with an optional sign, point and exponent. Blanks, separators of thousands and signs of currencies
/// are refused: what they mean depends on who wrote them.
pub(super) fn parse(text: &str) -> Option<Decimal> {
    if !is_plain(text) {
        return None;
    }
    let scientific = text.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    let number = if scientific {
        Decimal::from_scientific(text).ok()?
    } else {
        text.parse::<Decimal>().ok()?
    };
    Some(if number.is_zero() {
        number.abs()
    } else {
        number
    })
}

fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    let has_exponent = exponent.is_none_or(|text| {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        !unsigned.is_empty() && is_number(unsigned)
    });
    has_digits && is_number(whole) && is_number(fraction) && has_exponent
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let number = parse(text).map(|number| number.to_string());
        assert_eq!(number.as_deref(), expected, "{text}");
    }

    #[test]
    fn digits_stay_as_they_are() {
        check("12.10", Some("12.10"));
        check("-0.00", Some("0.00"));
        check("+7", Some("7"));
        check(".5", Some("0.5"));
        check("5.", Some("5"));
        check("0012", Some("12"));
        check("1.2e3", Some("1200"));
        check("15E-1", Some("1.5"));
        check(
            "79228162514264337593543950335",
            Some("79228162514264337593543950335"),
        );
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for text in [
            "", "-", ".", "1,5", "1_0", "1 0", "$1", "0x1", "1e", "1e+", "e5", "1.2.3", "--1",
            "NaN", "١",
        ] {
            check(text, None);
        }
        check("1e400", None);
        check("99999999999999999999999999999999", None);
    }

    proptest! {
        #[test]
        fn no_decimal_loses_a_digit(mantissa in -(1_i128 << 95)..1_i128 << 95, scale in 0_u32..=28) {
            let number = Decimal::from_i128_with_scale(mantissa, scale);
            prop_assume!(!number.is_zero());
            let text = number.to_string();
            prop_assert_eq!(parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in r"[0-9.eE+\-]{0,40}") {
            let _number = parse(&text);
        }
    }
}
