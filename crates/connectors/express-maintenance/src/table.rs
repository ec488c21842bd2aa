//! One file of a folder, read by its part of the profile.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use wrenchtime_connector::{RemoteKey, RowIssue};
use wrenchtime_transport::Folder;

use crate::fault::Fault;
use crate::profile::Table;
use crate::rows::{Dialect, Ending, Place, Row, Rows};
use crate::suggest::did_you_mean;

const UTF8_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Where the columns of a table stand in the file.
#[derive(Debug)]
pub(crate) struct Layout {
    /// For each column of the table its cell, from 0; nothing for an optional one that the file lacks.
    cells: Vec<Option<usize>>,
    width: usize,
}

/// A file whose header fits.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    table: &'a Table,
    layout: Layout,
    rows: Rows<BufReader<File>>,
    row: Row,
}

/// What is wrong with a row: the cell, from 0, and a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Flaw {
    pub(crate) cell: usize,
    pub(crate) reason: String,
    /// How many cells certainly stand where they belong, from the left.
    sure: usize,
}

impl Flaw {
    /// Makes a flaw of a row whose cells all stand where they belong.
    fn within(cell: usize, reason: String) -> Self {
        Self {
            cell,
            reason,
            sure: usize::MAX,
        }
    }
}

impl<'a> Reading<'a> {
    /// Opens a file and fits its header to the table.
    pub(crate) fn open(folder: &Folder, table: &'a Table, dialect: Dialect) -> Result<Self, Fault> {
        Self::new(open(folder, &table.file)?, table, dialect)
    }

    /// Reads a file from its beginning and fits its header to the table.
    pub(crate) fn new(mut file: File, table: &'a Table, dialect: Dialect) -> Result<Self, Fault> {
        let fail = |source| Fault::io(&table.file, source);
        file.rewind().map_err(fail)?;
        let mut input = BufReader::with_capacity(64 << 10, file);
        let offset = pass_mark(&mut input).map_err(fail)?;
        let offset = offset.ok_or_else(|| Fault::Encoding {
            file: table.file.clone(),
            found: "UTF-16",
        })?;
        let mut rows = Rows::new(input, dialect, Place { offset, line: 1 });
        let mut row = Row::default();
        if !rows.read(&mut row).map_err(fail)? {
            return Err(Fault::Empty {
                file: table.file.clone(),
            });
        }
        whole(&table.file, &row, false)?;
        let layout = Layout::fit(table, &header(&table.file, &row)?).map_err(Fault::Columns)?;
        Ok(Self {
            table,
            layout,
            rows,
            row,
        })
    }

    /// Goes to a place behind the header.
    pub(crate) fn go_to(self, place: Place, dialect: Dialect) -> Result<Self, Fault> {
        let mut input = self.rows.into_input();
        input
            .seek(SeekFrom::Start(place.offset))
            .map_err(|source| Fault::io(&self.table.file, source))?;
        Ok(Self {
            rows: Rows::new(input, dialect, place),
            ..self
        })
    }

    /// Returns where the next row begins.
    pub(crate) fn place(&self) -> Place {
        self.rows.place()
    }

    /// Tells whether there is no further row.
    pub(crate) fn at_end(&mut self) -> Result<bool, Fault> {
        self.rows
            .at_end()
            .map_err(|source| Fault::io(&self.table.file, source))
    }

    /// Reads the next row and tells whether there was one.
    pub(crate) fn advance(&mut self) -> Result<bool, Fault> {
        let found = self.rows.read(&mut self.row);
        if !found.map_err(|source| Fault::io(&self.table.file, source))? {
            return Ok(false);
        }
        let short = self.row.len() < self.layout.width;
        whole(&self.table.file, &self.row, short)?;
        Ok(true)
    }

    /// Returns the line on which the row begins.
    pub(crate) fn line(&self) -> u64 {
        self.row.line
    }

    /// Returns the row's cells in the order of the table's columns: trimmed, blank ones absent.
    pub(crate) fn cells(&self) -> Result<Vec<Option<&str>>, Flaw> {
        if let Some(cell) = self.row.stray {
            let reason = "there is text between a closing quote and the next delimiter".to_owned();
            return Err(Flaw {
                cell,
                reason,
                sure: cell,
            });
        }
        let (width, found) = (self.layout.width, self.row.len());
        if found != width {
            let reason = format!("the row has {found} cells, the header has {width}");
            return Err(Flaw {
                cell: found.min(width),
                reason,
                sure: 1,
            });
        }
        (0..self.table.columns.len())
            .map(|column| self.cell(column))
            .collect()
    }

    /// Returns the key that these columns make, as far as it can be read.
    pub(crate) fn key(&self, columns: &[usize]) -> Result<RemoteKey, Flaw> {
        let mut parts = Vec::with_capacity(columns.len());
        for &column in columns {
            match self.cell(column)? {
                Some(text) => parts.push(text),
                None => {
                    let cell = self
                        .layout
                        .cells
                        .get(column)
                        .copied()
                        .flatten()
                        .unwrap_or(0);
                    return Err(Flaw::within(cell, "the key is blank".to_owned()));
                }
            }
        }
        Ok(RemoteKey::new(joined(&parts)))
    }

    /// Returns the key of a row with a flaw, where it stands left of all that may be displaced.
    pub(crate) fn sure_key(&self, columns: &[usize], flaw: &Flaw) -> Option<RemoteKey> {
        self.sure_cells(columns, flaw)?;
        self.key(columns).ok()
    }

    /// Returns some cells of a row with a flaw, where all of them can be read and stand left of all that may be
    /// displaced.
    pub(crate) fn sure_cells(&self, columns: &[usize], flaw: &Flaw) -> Option<Vec<Option<&str>>> {
        let cell = |column: usize| {
            let place = self.layout.cells.get(column).copied().flatten();
            let sure = place.is_none_or(|place| place < flaw.sure);
            if sure { self.cell(column).ok() } else { None }
        };
        columns.iter().map(|&column| cell(column)).collect()
    }

    /// Tells of the row what is wrong with it.
    pub(crate) fn issue(&self, key: Option<RemoteKey>, flaw: &Flaw) -> RowIssue {
        let column = self
            .layout
            .cells
            .iter()
            .position(|cell| *cell == Some(flaw.cell));
        let name = column.and_then(|column| self.table.columns.get(column));
        let name = name.map_or_else(String::new, |column| format!(" ({})", column.header));
        let place = format!(
            "{}, line {}, column {}{name}",
            self.table.file,
            self.row.line,
            flaw.cell + 1
        );
        RowIssue::new(key, place, flaw.reason.clone())
    }

    /// Tells of the row that another has its key.
    pub(crate) fn duplicate(&self, key: RemoteKey, columns: &[usize], first: u64) -> RowIssue {
        let reason = format!("the row on line {first} has the same key");
        self.unusable(key, columns, reason)
    }

    /// Tells of the row why it cannot be used, though all its cells can be read.
    pub(crate) fn unusable(&self, key: RemoteKey, columns: &[usize], reason: String) -> RowIssue {
        let column = columns.first().copied().unwrap_or(0);
        let cell = self
            .layout
            .cells
            .get(column)
            .copied()
            .flatten()
            .unwrap_or(0);
        self.issue(Some(key), &Flaw::within(cell, reason))
    }

    fn cell(&self, column: usize) -> Result<Option<&str>, Flaw> {
        let Some(cell) = self.layout.cells.get(column).copied().flatten() else {
            return Ok(None);
        };
        let bytes = self.row.cell(cell).unwrap_or_default();
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Flaw::within(cell, "the cell is not UTF-8".to_owned()))?
            .trim();
        Ok((!text.is_empty()).then_some(text))
    }
}

impl Layout {
    fn fit(table: &Table, header: &[String]) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut cells = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let mut found = header
                .iter()
                .enumerate()
                .filter(|(_, name)| **name == column.header);
            let first = found.next().map(|(index, _)| index);
            if found.next().is_some() {
                faults.push(format!(
                    "{} has the column `{}` twice",
                    table.file, column.header
                ));
            }
            if first.is_none() && !column.optional {
                let hint = did_you_mean(&column.header, header.iter().map(String::as_str));
                faults.push(format!(
                    "no column `{}` in {}{hint}",
                    column.header, table.file
                ));
            }
            cells.push(first);
        }
        if faults.is_empty() {
            Ok(Self {
                cells,
                width: header.len(),
            })
        } else {
            Err(faults)
        }
    }
}

/// Opens a file of the folder.
pub(crate) fn open(folder: &Folder, name: &str) -> Result<File, Fault> {
    folder
        .open(name)
        .map_err(|error| Fault::opening(name, error))
}

/// Joins the parts of a key so that different parts give different keys. A single part stays as it is.
fn joined(parts: &[&str]) -> String {
    match parts {
        [one] => (*one).to_owned(),
        parts => {
            let escaped: Vec<String> = parts
                .iter()
                .map(|part| part.replace('\\', "\\\\").replace('|', "\\|"))
                .collect();
            escaped.join("|")
        }
    }
}

/// Passes over the mark of UTF-8 and returns how long it was; nothing for the marks of UTF-16.
fn pass_mark(input: &mut BufReader<File>) -> io::Result<Option<u64>> {
    let chunk = input.fill_buf()?;
    if chunk.starts_with(&[0xFF, 0xFE]) || chunk.starts_with(&[0xFE, 0xFF]) {
        return Ok(None);
    }
    let length = if chunk.starts_with(UTF8_MARK) {
        UTF8_MARK.len()
    } else {
        0
    };
    input.consume(length);
    Ok(Some(length as u64))
}

fn header(file: &str, row: &Row) -> Result<Vec<String>, Fault> {
    (0..row.len())
        .map(|index| {
            let text = std::str::from_utf8(row.cell(index).unwrap_or_default());
            let found = "something else than UTF-8";
            text.map(|text| text.trim().to_owned())
                .map_err(|_| Fault::Encoding {
                    file: file.to_owned(),
                    found,
                })
        })
        .collect()
}

/// Refuses a row that is only the beginning of one.
fn whole(file: &str, row: &Row, short: bool) -> Result<(), Fault> {
    let (file, line) = (file.to_owned(), row.line);
    match row.ending {
        Ending::Quotes => Err(Fault::CutOff { file, line }),
        Ending::File if short => Err(Fault::CutOff { file, line }),
        Ending::TooLong => Err(Fault::TooLong { file, line }),
        Ending::File | Ending::Line => Ok(()),
    }
}
