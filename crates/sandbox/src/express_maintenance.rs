//! Writes a plant as the folder of CSV files that an on-premises Express Maintenance would export.

mod rows;

use std::{fs, io, path::Path};

use chrono_tz::Tz;

use crate::plant::Plant;

/// How to write the files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportOptions {
    /// Zone of the server; the files hold its local times without saying so. Defaults to America/Chicago.
    pub zone: Tz,
    /// Whether the files show the dirt of real ones: padded part numbers, blanks for empty, spelling variants of vendors.
    /// Defaults to true. Notes keep their CR LF either way.
    pub dirt: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            zone: chrono_tz::America::Chicago,
            dirt: true,
        }
    }
}

/// One file: its name, its header, its rows.
type Table = (&'static str, &'static [&'static str], Vec<Vec<String>>);

/// Writes `units.csv`, `work_orders.csv`, `parts.csv`, `vendors.csv`, `purchase_orders.csv` and `purchase_order_lines.csv`.
///
/// Removed records are left out. Each file is written under another name and renamed, so that a reader sees the old or the
/// new one, never half of it. The folder is created when it is missing.
///
/// # Errors
///
/// Whatever the file system refuses.
pub fn export(plant: &Plant, folder: &Path, options: &ExportOptions) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let tables: [Table; 6] = [
        ("units.csv", rows::UNITS, rows::units(plant)),
        (
            "work_orders.csv",
            rows::WORK_ORDERS,
            rows::work_orders(plant, options),
        ),
        ("parts.csv", rows::PARTS, rows::parts(plant, options)),
        ("vendors.csv", rows::VENDORS, rows::vendors(plant)),
        (
            "purchase_orders.csv",
            rows::PURCHASE_ORDERS,
            rows::purchase_orders(plant),
        ),
        (
            "purchase_order_lines.csv",
            rows::LINES,
            rows::purchase_order_lines(plant),
        ),
    ];
    for (name, header, rows) in tables {
        write(folder, name, header, &rows)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(header).map_err(io::Error::other)?;
    for row in rows {
        writer.write_record(row).map_err(io::Error::other)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    let hidden = folder.join(format!(".{name}.tmp"));
    fs::write(&hidden, bytes)?;
    fs::rename(hidden, folder.join(name))
}
