//! A small random generator whose sequence never changes, whatever libraries do.

/// Splitmix64: good enough for test data and stable for ever.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns a generator of its own for one record, so that adding a draw to one record doesn't change the others.
    pub(crate) fn for_record(seed: u64, kind: u64, index: u64) -> Self {
        let mut rng = Self::new(seed ^ kind.wrapping_mul(0xA24B_AED4_963E_E407));
        let base = rng.next();
        Self::new(base ^ index.wrapping_mul(0x9FB2_1C65_1E98_DF25))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(((self.next() >> 32) * u64::from(bound)) >> 32).unwrap_or_default()
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    /// Returns a number from 0 up to but not including 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(self.below(1 << 24)) / f64::from(1_u32 << 24)
    }

    /// Returns an item of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        &items[self.below(count) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn sequence_is_fixed() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.next(), 0x910A_2DEC_8902_5CC1);
        assert_eq!(rng.below(0), 0);
        assert!((0..1000).all(|_| rng.between(3, 5) <= 5 && rng.fraction() < 1.0));
    }
}
