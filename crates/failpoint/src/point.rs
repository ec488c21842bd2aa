//! The list of points.

use std::fmt;

/// A place that the service passes while it works.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Point {
    /// A request for a page or for rows is about to leave.
    FetchBefore,
    /// It was answered, well or not.
    FetchAfter,
    /// The rows of a page are about to be compared and mapped.
    MapBefore,
    /// They are.
    MapAfter,
    /// A page is about to be written.
    CommitBefore,
    /// All of it is written, and nothing is committed.
    CommitInside,
    /// It is committed, and nobody knows yet.
    CommitAfter,
    /// Rows that a listing missed are marked as gone, and nothing is committed.
    RemoveInside,
    /// A run's end is written, and nothing is committed.
    FinishInside,
    /// Messages are made of events, and not written.
    FanOutBefore,
    /// Messages and position are written, and nothing is committed.
    FanOutInside,
    /// They are committed, and nobody knows yet.
    FanOutAfter,
    /// A message is taken, and about to be posted.
    DeliveryBefore,
    /// The receiver has answered, and nothing tells of that.
    DeliveryAnswered,
    /// What came of it is written.
    DeliveryWritten,
}

impl Point {
    /// Every point, in the order in which an event passes them.
    pub const ALL: &'static [Self] = &[
        Self::FetchBefore,
        Self::FetchAfter,
        Self::MapBefore,
        Self::MapAfter,
        Self::CommitBefore,
        Self::CommitInside,
        Self::CommitAfter,
        Self::RemoveInside,
        Self::FinishInside,
        Self::FanOutBefore,
        Self::FanOutInside,
        Self::FanOutAfter,
        Self::DeliveryBefore,
        Self::DeliveryAnswered,
        Self::DeliveryWritten,
    ];

    /// Returns its name, as it is armed by.
    pub fn name(self) -> &'static str {
        match self {
            Self::FetchBefore => "fetch-before",
            Self::FetchAfter => "fetch-after",
            Self::MapBefore => "map-before",
            Self::MapAfter => "map-after",
            Self::CommitBefore => "commit-before",
            Self::CommitInside => "commit-inside",
            Self::CommitAfter => "commit-after",
            Self::RemoveInside => "remove-inside",
            Self::FinishInside => "finish-inside",
            Self::FanOutBefore => "fan-out-before",
            Self::FanOutInside => "fan-out-inside",
            Self::FanOutAfter => "fan-out-after",
            Self::DeliveryBefore => "delivery-before",
            Self::DeliveryAnswered => "delivery-answered",
            Self::DeliveryWritten => "delivery-written",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
