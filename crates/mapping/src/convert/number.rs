//! Numbers, always from their digits and never through a double.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

/// Reads digits with an optional sign, point and exponent. Blanks, separators of thousands and signs of currencies
/// are refused: what they mean depends on who wrote them.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
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

/// Returns a whole number. With a factor the number is multiplied by it first and rounded half away from zero;
/// without, anything behind the point but zeros makes it none.
pub(crate) fn whole_number(number: Decimal, factor: Option<i64>) -> Option<i64> {
    let whole = match factor {
        Some(factor) => number
            .checked_mul(Decimal::from(factor))?
            .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero),
        None if number.fract().is_zero() => number,
        None => return None,
    };
    whole.to_i64()
}

/// Appends a decimal as JSON text.
pub(crate) fn push_decimal(out: &mut String, number: Decimal) {
    out.push('"');
    out.push_str(&number.to_string());
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let number = parse_decimal(text).map(|number| number.to_string());
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

    #[test]
    fn units_are_multiplied_and_rounded() {
        let whole = |text: &str, factor| whole_number(parse_decimal(text).unwrap(), factor);
        assert_eq!(whole("1.5", Some(3600)), Some(5400));
        assert_eq!(whole("0.0001", Some(3600)), Some(0));
        assert_eq!(whole("0.00015", Some(3600)), Some(1));
        assert_eq!(whole("-0.5", Some(1)), Some(-1));
        assert_eq!(whole("12.0", None), Some(12));
        assert_eq!(whole("12.5", None), None);
        assert_eq!(whole("9223372036854775808", None), None);
        assert_eq!(whole("79228162514264337593543950335", Some(60)), None);
    }

    proptest! {
        #[test]
        fn no_decimal_loses_a_digit(mantissa in -(1_i128 << 95)..1_i128 << 95, scale in 0_u32..=28) {
            let number = Decimal::from_i128_with_scale(mantissa, scale);
            prop_assume!(!number.is_zero());
            let text = number.to_string();
            prop_assert_eq!(parse_decimal(&text).unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in r"[0-9.eE+\-]{0,40}", factor in prop::option::of(any::<i64>())) {
            if let Some(number) = parse_decimal(&text) {
                let _whole = whole_number(number, factor);
            }
        }
    }
}
