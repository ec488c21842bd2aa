//! Numbers of the model, never through a double.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

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
    use wrenchtime_connector::Value;

    use super::*;

    #[test]
    fn units_are_multiplied_and_rounded() {
        let whole =
            |text: &str, factor| whole_number(Value::from(text).as_decimal().unwrap(), factor);
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
        fn no_text_makes_it_panic(text in r"[0-9.eE+\-]{0,40}", factor in prop::option::of(any::<i64>())) {
            if let Some(number) = Value::from(text).as_decimal() {
                let _whole = whole_number(number, factor);
            }
        }
    }
}
