//! A case: what is lived through, and how it is made smaller.

use std::fmt;

use crate::config::Config;
use crate::dice::Dice;
use crate::step::{self, Step};

/// A source and its history. Everything that happens follows from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// What the source is like.
    pub config: Config,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Case {
    /// Draws the case of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut config = Config::draw(&mut dice);
        let steps = step::draw(&mut dice, &config);
        // Drawn last, so that the rest of a seed's case stays what it was. The first rows changed in these hours.
        config.look_back = dice.one_in(4).then(|| dice.between(3 * 60, 7 * 60));
        Self {
            seed,
            config,
            steps,
        }
    }

    /// Makes a case that fails as small as it gets, within so many attempts: steps are left out by halves, then the
    /// source is made simpler, for as long as it still fails.
    pub(crate) fn shrink(
        mut self,
        mut attempts: u32,
        mut fails: impl FnMut(&Self) -> bool,
    ) -> Self {
        let mut size = self.steps.len().div_ceil(2);
        while size > 0 && attempts > 0 {
            let mut at = 0;
            while at < self.steps.len() && attempts > 0 {
                let mut fewer = self.clone();
                fewer.steps.drain(at..(at + size).min(self.steps.len()));
                attempts -= 1;
                if fails(&fewer) {
                    self = fewer;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        loop {
            let simpler = self.config.simpler().into_iter().take_while(|_| {
                attempts = attempts.saturating_sub(1);
                attempts > 0
            });
            let found = simpler
                .map(|config| Self {
                    config,
                    ..self.clone()
                })
                .find(|simpler| simpler.is_whole() && fails(simpler));
            match found {
                Some(found) => self = found,
                None => return self,
            }
        }
    }

    /// Tells whether all tables that steps name are there.
    fn is_whole(&self) -> bool {
        let words = format!("{:?}", self.steps);
        self.config.tables.len() > 1 || !words.contains("table: 1") && !words.contains("Some(1)")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        writeln!(
            f,
            "source: from {}, zone {:?}, {:?}{}, lag {} s, skew {} s{}, {} ms a request, {} at once, look-back {:?}",
            config.start,
            config.zone,
            config.precision,
            if config.coarse { " (kept so)" } else { "" },
            config.lag,
            config.skew,
            if config.tells_time { "" } else { " (not told)" },
            config.latency,
            config.at_once,
            config.look_back,
        )?;
        for table in &config.tables {
            writeln!(f, "  {table:?}")?;
        }
        writeln!(f, "steps:")?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {number}: {step:?}")?;
        }
        Ok(())
    }
}
