//! Chance that is the same for the same seed, today and after every update of every dependency.

/// A sequence of numbers from a seed: `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from `0` to below `end`, or 0 where there is none.
    pub fn below(&mut self, end: u32) -> u32 {
        let within = self.roll() % u64::from(end.max(1));
        u32::try_from(within).unwrap_or_default()
    }

    /// Returns a number from `first` up to and with `last`.
    pub fn between(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Tells whether something happens that happens once in so many times.
    pub fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// Returns one of some things.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let place = self.below(u32::try_from(of.len()).unwrap_or(u32::MAX));
        of[usize::try_from(place).unwrap_or_default()].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_never_changes() {
        let mut dice = Dice::new(4711);
        let rolls = [dice.roll(), dice.roll()];
        assert_eq!(rolls, [Dice::new(4711).roll(), rolls[1]]);
        assert_eq!(Dice::new(0).roll(), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut dice = Dice::new(1);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&dice.between(3, 5)));
            assert!(dice.below(7) < 7);
        }
        assert_eq!(dice.below(0), 0);
    }
}
