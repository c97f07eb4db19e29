//! Tables for a terminal: aligned, numbers to the right, no borders.

use std::fmt::Write as _;

/// A table being filled.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// To which side a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Table {
    pub(crate) fn new(headings: &[(&'static str, Align)]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as text with a line end after each row.
    pub(crate) fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([self.headings[column].0.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let mut text = String::new();
        let headings: Vec<String> = self.headings.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (column, (_, align)) in self.headings.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                let width = widths[column];
                // Writing to a string does not fail.
                let _ = match align {
                    Align::Left => write!(line, "{cell:<width$}  "),
                    Align::Right => write!(line, "{cell:>width$}  "),
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Control characters would move the cursor or colour the terminal: keys and labels are other people's data.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_control_characters_do_no_harm() {
        let mut table = Table::new(&[("name", Align::Left), ("keys", Align::Right)]);
        table.row(vec!["user".to_owned(), "5".to_owned()]);
        table.row(vec!["a\u{1b}[31m".to_owned(), "12345".to_owned()]);
        assert_eq!(table.render(), "name     keys\nuser        5\na\u{fffd}[31m  12345\n");
    }
}
