//! Mistakes that the oracle must find, or it is worth nothing.

/// A mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// The connector asks for what is later than the bound, not for what is at it or later.
    AsksForLater,
    /// The connector takes a page that is not full for the last.
    StopsAtShortPages,
    /// The connector takes an error in place of a list for an empty list.
    SwallowsErrors,
    /// The connector counts rows and trusts that none of them moved.
    OnlyCounts,
    /// The connector declares that rows are visible at once.
    DeclaresNoLag,
    /// The connector forgets that an hour comes twice, and that the second seems to lie before the end of the first.
    ForgetsRepeatedHour,
    /// The connector declares that changes of long ago can be asked for.
    DeclaresNoForgetting,
    /// The store loses a row of each large page.
    LosesPages,
    /// The store plays down how many rows a listing did not show.
    BelievesAbsence,
}

impl Sabotage {
    /// All mistakes.
    pub const ALL: [Self; 9] = [
        Self::AsksForLater,
        Self::StopsAtShortPages,
        Self::SwallowsErrors,
        Self::OnlyCounts,
        Self::DeclaresNoLag,
        Self::ForgetsRepeatedHour,
        Self::DeclaresNoForgetting,
        Self::LosesPages,
        Self::BelievesAbsence,
    ];
}
