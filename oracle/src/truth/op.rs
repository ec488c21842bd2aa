//! What happens to rows.

use super::TableNumber;

/// Something that happens to rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// A row is written, new or not, and carries this moment's time. It becomes visible so many seconds later.
    Put {
        /// The table.
        table: TableNumber,
        /// The row.
        key: u32,
        /// What it says.
        value: u32,
        /// Seconds until it is visible, cut to the source's lag.
        late: u32,
    },
    /// Rows are written with one time.
    Bulk {
        /// The table.
        table: TableNumber,
        /// The first row.
        key: u32,
        /// How many rows.
        count: u32,
        /// What they say.
        value: u32,
    },
    /// A row is written with a time in the future.
    Ahead {
        /// The table.
        table: TableNumber,
        /// The row.
        key: u32,
        /// What it says.
        value: u32,
        /// Seconds ahead.
        by: u32,
    },
    /// A row is written and has no time of its change any more.
    Undated {
        /// The table.
        table: TableNumber,
        /// The row.
        key: u32,
        /// What it says.
        value: u32,
    },
    /// A child row is written. The row keeps its time.
    Child {
        /// The table.
        table: TableNumber,
        /// The row.
        key: u32,
        /// How many children there are now.
        children: u32,
    },
    /// Rows go.
    Delete {
        /// The table.
        table: TableNumber,
        /// The first row.
        key: u32,
        /// How many rows.
        count: u32,
        /// With a mark, where rows go both ways.
        marked: bool,
    },
    /// A row that went comes back as it was.
    Restore {
        /// The table.
        table: TableNumber,
        /// The row.
        key: u32,
    },
}
