//! One armed point, and the end of the process at it.

use std::num::NonZeroU32;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{NotArmed, Point};

/// A process dies once, so there is one for all.
static ARMED: OnceLock<Armed> = OnceLock::new();

struct Armed {
    point: Point,
    nth: NonZeroU32,
    passed: AtomicU32,
}

/// Has the process die at the N-th passing of a point, counted from now, for `name:N`.
///
/// # Errors
/// When it is written otherwise, names no point, or one is armed already.
pub fn arm(text: &str) -> Result<(), NotArmed> {
    let (point, nth) = parse(text)?;
    let armed = Armed {
        point,
        nth,
        passed: AtomicU32::new(0),
    };
    ARMED.set(armed).map_err(|_| NotArmed::Again)
}

/// Dies if this is the point that was armed, and the passing that was chosen. No destructor runs, nothing is flushed.
pub fn pass(point: Point) {
    let Some(armed) = ARMED.get() else { return };
    if armed.point != point {
        return;
    }
    let passed = armed.passed.fetch_add(1, Ordering::Relaxed) + 1;
    if passed == armed.nth.get() {
        process::abort();
    }
}

fn parse(text: &str) -> Result<(Point, NonZeroU32), NotArmed> {
    let form = || NotArmed::Form(text.to_owned());
    let (name, nth) = text.split_once(':').ok_or_else(form)?;
    let nth = nth.parse().map_err(|_| form())?;
    let mut all = Point::ALL.iter();
    match all.find(|point| point.name() == name) {
        Some(point) => Ok((*point, nth)),
        None => Err(NotArmed::Unknown {
            name: name.to_owned(),
            known: Point::ALL
                .iter()
                .map(|point| point.name())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_by_its_own_name() {
        for point in Point::ALL {
            let (found, nth) = parse(&format!("{point}:7")).unwrap();
            assert_eq!((found, nth.get()), (*point, 7));
        }
    }

    #[test]
    fn what_names_no_point_arms_nothing() {
        for text in [
            "",
            "commit-inside",
            "commit-inside:0",
            "commit-inside:-1",
            "commit-inside:x",
        ] {
            assert_eq!(parse(text), Err(NotArmed::Form(text.to_owned())));
        }
        let unknown = parse("commit-insight:1").unwrap_err().to_string();
        assert!(
            unknown.contains("\"commit-insight\"") && unknown.contains("commit-inside"),
            "{unknown}"
        );
    }

    #[test]
    fn one_point_is_armed_and_others_are_passed() {
        arm("map-after:2").unwrap();
        assert_eq!(arm("map-after:2"), Err(NotArmed::Again));
        for _ in 0..9 {
            pass(Point::MapBefore);
        }
        // Alive: it would die at the second.
        pass(Point::MapAfter);
    }
}
