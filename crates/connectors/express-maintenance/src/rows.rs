//! Cuts a CSV file into rows and cells, and knows where each begins.
//!
//! A reader of our own because three things are needed together: the byte at which a row begins, so that a later page
//! goes on there; the line for people; and whether the file ends within a quoted cell, which tells a whole file from one
//! that is still being written.

use std::io::{self, BufRead};

/// A row longer than this, in bytes of text and cells together, is taken for a quote that was never closed.
const LONGEST_ROW: usize = 4 << 20;

/// The two signs that give a file its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: u8,
}

/// Where a row begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Bytes from the beginning of the file.
    pub(crate) offset: u64,
    /// From 1.
    pub(crate) line: u64,
}

/// How a row ends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Ending {
    /// With a line end.
    #[default]
    Line,
    /// With the file, outside of quotes.
    File,
    /// With the file, within a quoted cell.
    Quotes,
    /// Not within what a row may hold.
    TooLong,
}

/// The cells of a row. Used again for each, so that reading a file takes the memory of its longest row.
#[derive(Default, Debug)]
pub(crate) struct Row {
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The line on which it begins.
    pub(crate) line: u64,
    pub(crate) ending: Ending,
    /// The first cell with something between its closing quote and the delimiter, from 0.
    pub(crate) stray: Option<usize>,
}

impl Row {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn cell(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.ending = Ending::Line;
        self.stray = None;
    }
}

/// The rows of a file, from a place on.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    input: R,
    dialect: Dialect,
    place: Place,
}

impl<R: BufRead> Rows<R> {
    /// Reads on from a place. The input stands there already.
    pub(crate) fn new(input: R, dialect: Dialect, place: Place) -> Self {
        Self {
            input,
            dialect,
            place,
        }
    }

    /// Returns where the next row begins.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Gives the input back.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// Tells whether the file ends here.
    pub(crate) fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.input.fill_buf()?.is_empty())
    }

    /// Reads the next row and tells whether there was one. Empty lines are passed over.
    pub(crate) fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        loop {
            row.clear();
            row.line = self.place.line;
            let mut cutter = Cutter::new(self.dialect);
            let found = self.cut(&mut cutter, row)?;
            if !found || !cutter.is_empty_line(row) {
                return Ok(found);
            }
        }
    }

    fn cut(&mut self, cutter: &mut Cutter, row: &mut Row) -> io::Result<bool> {
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(cutter.finish(row));
            }
            let mut used = 0;
            let mut done = None;
            for &byte in chunk {
                used += 1;
                done = cutter.take(byte, row);
                if done.is_some() {
                    break;
                }
            }
            let too_long = row.text.len() + row.ends.len() > LONGEST_ROW;
            self.advance(used);
            if too_long {
                row.ending = Ending::TooLong;
                return Ok(true);
            }
            if let Some(sign) = done {
                self.place.line = row.line + cutter.lines + 1;
                if sign == b'\r' && self.input.fill_buf()?.first() == Some(&b'\n') {
                    self.advance(1);
                }
                return Ok(true);
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.place.offset += bytes as u64;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the end of the cell, or the first half of a quote that is meant.
    QuoteInQuotes,
}

/// The state machine of one row.
#[derive(Debug)]
struct Cutter {
    dialect: Dialect,
    state: State,
    quoted: bool,
    /// Line ends within quotes so far.
    lines: u64,
}

impl Cutter {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            state: State::CellStart,
            quoted: false,
            lines: 0,
        }
    }

    /// Takes one byte. Returns the line end that finished the row.
    fn take(&mut self, byte: u8, row: &mut Row) -> Option<u8> {
        if self.state == State::Quoted {
            if byte == self.dialect.quote {
                self.state = State::QuoteInQuotes;
            } else {
                self.lines += u64::from(byte == b'\n');
                row.text.push(byte);
            }
            return None;
        }
        if byte == self.dialect.delimiter {
            row.ends.push(row.text.len());
            self.state = State::CellStart;
        } else if byte == b'\n' || byte == b'\r' {
            row.ends.push(row.text.len());
            return Some(byte);
        } else if byte == self.dialect.quote && self.state == State::CellStart {
            self.state = State::Quoted;
            self.quoted = true;
        } else if byte == self.dialect.quote && self.state == State::QuoteInQuotes {
            row.text.push(byte);
            self.state = State::Quoted;
        } else {
            if self.state == State::QuoteInQuotes {
                row.stray.get_or_insert(row.ends.len());
            }
            row.text.push(byte);
            self.state = State::Plain;
        }
        None
    }

    /// Takes the end of the file. Tells whether a row stood before it.
    fn finish(&self, row: &mut Row) -> bool {
        if self.state == State::CellStart && row.ends.is_empty() {
            return false;
        }
        row.ends.push(row.text.len());
        row.ending = if self.state == State::Quoted {
            Ending::Quotes
        } else {
            Ending::File
        };
        true
    }

    fn is_empty_line(&self, row: &Row) -> bool {
        !self.quoted && row.text.is_empty() && row.ends.len() == 1
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

    use proptest::prelude::*;

    use super::*;

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
    };

    fn rows(text: &[u8], capacity: usize) -> Vec<(Place, Vec<String>, Ending)> {
        let start = Place { offset: 0, line: 1 };
        let mut rows = Rows::new(BufReader::with_capacity(capacity, text), COMMA, start);
        let mut row = Row::default();
        let mut found = Vec::new();
        loop {
            let place = rows.place();
            if !rows.read(&mut row).unwrap() {
                return found;
            }
            let cells = (0..row.len())
                .map(|index| String::from_utf8(row.cell(index).unwrap().to_vec()).unwrap())
                .collect();
            found.push((place, cells, row.ending));
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u64, &[&str])]) {
        for capacity in [1, 2, 3, 4096] {
            let mut input = Rows::new(
                BufReader::with_capacity(capacity, text.as_bytes()),
                COMMA,
                Place { offset: 0, line: 1 },
            );
            let mut row = Row::default();
            let mut found = Vec::new();
            while input.read(&mut row).unwrap() {
                let cells: Vec<String> = (0..row.len())
                    .map(|index| String::from_utf8(row.cell(index).unwrap().to_vec()).unwrap())
                    .collect();
                found.push((row.line, cells));
            }
            let expected: Vec<(u64, Vec<String>)> = expected
                .iter()
                .map(|(line, cells)| (*line, cells.iter().map(|cell| (*cell).to_owned()).collect()))
                .collect();
            assert_eq!(found, expected, "with a buffer of {capacity}");
        }
    }

    #[test]
    fn every_line_end_ends_a_row() {
        check("a,b\nc,d\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a,b\r\nc,d\r\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a,b\rc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a\r\n\r\n\nb", &[(1, &["a"]), (4, &["b"])]);
        check("", &[]);
        check("\r\n", &[]);
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_quotes() {
        check("\"a,b\",c\n", &[(1, &["a,b", "c"])]);
        check(
            "\"a\r\nb\",c\r\nd,e\r\n",
            &[(1, &["a\r\nb", "c"]), (3, &["d", "e"])],
        );
        check("\"say \"\"hi\"\"\",\"\"\n", &[(1, &["say \"hi\"", ""])]);
        check("\"\"\n", &[(1, &[""])]);
    }

    #[test]
    fn a_quote_within_a_plain_cell_is_itself() {
        check("5\" pipe,b\n", &[(1, &["5\" pipe", "b"])]);
        check(" \"a\",b\n", &[(1, &[" \"a\"", "b"])]);
    }

    #[test]
    fn what_stands_behind_a_closing_quote_is_noticed() {
        let mut rows = Rows::new(&b"x,\"a\" b,c\n"[..], COMMA, Place { offset: 0, line: 1 });
        let mut row = Row::default();
        assert!(rows.read(&mut row).unwrap());
        assert_eq!(row.stray, Some(1));
        assert_eq!(row.len(), 3);
    }

    #[test]
    fn the_end_of_the_file_is_told_apart() {
        assert_eq!(rows(b"a\nb", 8)[1].2, Ending::File);
        assert_eq!(rows(b"a\n\"b", 8)[1].2, Ending::Quotes);
        assert_eq!(rows(b"a\n\"b\"", 8)[1].2, Ending::File);
        assert_eq!(rows(b"a\nb\n", 8)[1].2, Ending::Line);
        assert_eq!(rows(b"a,", 8)[0].1, ["a", ""]);
    }

    #[test]
    fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
        let endless = io::repeat(b'x').take(1 << 40);
        let input = BufReader::new(Cursor::new(b"\"").chain(endless));
        let mut rows = Rows::new(input, COMMA, Place { offset: 0, line: 1 });
        let mut row = Row::default();
        assert!(rows.read(&mut row).unwrap());
        assert_eq!(row.ending, Ending::TooLong);
    }

    #[test]
    fn a_line_of_delimiters_alone_does_not_fill_the_memory() {
        let endless = io::repeat(b',').take(1 << 24);
        let mut rows = Rows::new(BufReader::new(endless), COMMA, Place { offset: 0, line: 1 });
        let mut row = Row::default();
        assert!(rows.read(&mut row).unwrap());
        assert_eq!(row.ending, Ending::TooLong);
    }

    fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
        let cell = prop_oneof!["[a-z ,\"\r\n]{0,8}", "\\PC{0,6}"];
        (1_usize..5).prop_flat_map(move |width| {
            prop::collection::vec(prop::collection::vec(cell.clone(), width), 0..8)
        })
    }

    fn written(table: &[Vec<String>], terminator: csv::Terminator) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(terminator)
            .from_writer(Vec::new());
        for row in table {
            writer.write_record(row).unwrap();
        }
        writer.into_inner().unwrap()
    }

    proptest! {
        #[test]
        fn what_a_writer_wrote_comes_back(
            table in tables(), crlf in any::<bool>(), capacity in 1_usize..20,
        ) {
            let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let found = rows(&written(&table, end), capacity);
            let cells: Vec<Vec<String>> = found.into_iter().map(|(_, cells, _)| cells).collect();
            prop_assert_eq!(cells, table);
        }

        #[test]
        fn reading_goes_on_at_any_row(table in tables(), capacity in 1_usize..20) {
            let text = written(&table, csv::Terminator::CRLF);
            let whole = rows(&text, 4096);
            for (index, (place, _, _)) in whole.iter().enumerate() {
                let mut input = Cursor::new(&text);
                input.seek(SeekFrom::Start(place.offset)).unwrap();
                let mut rest = Rows::new(BufReader::with_capacity(capacity, input), COMMA, *place);
                let mut row = Row::default();
                let mut count = 0;
                while rest.read(&mut row).unwrap() {
                    prop_assert_eq!(row.line, whole[index + count].0.line);
                    count += 1;
                }
                prop_assert_eq!(count, whole.len() - index);
            }
        }
    }
}
