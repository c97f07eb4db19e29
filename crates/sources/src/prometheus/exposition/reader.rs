//! Goes through a page entry by entry, collects what is wrong with it and goes on behind each bad line.

use std::collections::BTreeMap;

use super::cursor::{Cursor, RawLabel};
use super::entry::{Entry, RawSample};
use super::line_error::LineError;
use super::stored::Stored;
use super::{BadLine, Format, MAX_BAD_LINES_KEPT, MetricType, Page, openmetrics, text};

/// A page, or a part of one, that is being read.
pub(super) struct Reader<'p> {
    cursor: Cursor<'p>,
    accept: &'p dyn Fn(&str) -> bool,
    labels: Vec<RawLabel<'p>>,
    progress: Progress,
    /// The last place whose line is known, and its line, from 1.
    known_line: (usize, usize),
    /// More of the page follows: what can't be judged without it is left for then.
    more: bool,
    ended: bool,
}

/// What is known of a page so far.
pub(super) struct Progress {
    format: Format,
    types: BTreeMap<String, MetricType>,
    quoted_names: u64,
    not_accepted: u64,
    unread_bytes: usize,
    bad_lines: Vec<BadLine>,
    bad_line_count: u64,
    /// The line that comes next, from 1.
    line: usize,
}

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            types: BTreeMap::new(),
            quoted_names: 0,
            not_accepted: 0,
            unread_bytes: 0,
            bad_lines: Vec::new(),
            bad_line_count: 0,
            line: 1,
        }
    }

    pub(super) fn into_page(self, stored: Stored) -> Page {
        Page {
            samples: stored.samples,
            bad_lines: self.bad_lines,
            bad_line_count: self.bad_line_count,
            duplicates: stored.duplicates,
            not_accepted: self.not_accepted,
            unread_bytes: self.unread_bytes,
            quoted_names: self.quoted_names,
            types: self.types,
            unreadable: None,
        }
    }
}

impl<'p> Reader<'p> {
    /// Reads on where `progress` ended; `page` is what follows there. Where there is `more`, it has to end with
    /// a line's end.
    pub(super) fn new(
        page: &'p [u8],
        progress: Progress,
        more: bool,
        accept: &'p dyn Fn(&str) -> bool,
    ) -> Self {
        // The text format's lexer sees a line end behind the last byte, OpenMetrics' sees none.
        let past_end = if progress.format == Format::OpenMetrics { 0 } else { b'\n' };
        Self {
            cursor: Cursor::new(page, past_end),
            accept,
            labels: Vec::new(),
            known_line: (0, progress.line),
            progress,
            more,
            ended: false,
        }
    }

    /// How far it was read, and what is known by then.
    pub(super) fn stop(mut self) -> (usize, Progress) {
        let read = self.cursor.at.min(self.cursor.page.len());
        if self.more {
            self.progress.line += self.cursor.slice(0, read).iter().filter(|byte| **byte == b'\n').count();
        }
        (read, self.progress)
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.cursor.page.len()
    }

    /// The next accepted sample with its labels and the place where its line starts.
    pub(super) fn next_sample(&mut self) -> Option<(RawSample<'p>, &mut Vec<RawLabel<'p>>, usize)> {
        while !self.ended {
            let start = self.cursor.at;
            if start >= self.cursor.page.len() {
                self.ended = true;
                if self.progress.format == Format::OpenMetrics && !self.more {
                    self.bad(start, LineError::NoEof);
                }
                break;
            }
            let entry = match self.progress.format {
                Format::OpenMetrics => openmetrics::entry(&mut self.cursor, &mut self.labels),
                Format::Text | Format::Binary => text::entry(&mut self.cursor, &mut self.labels),
            };
            if self.more && matches!(entry, Err(_) | Ok(Entry::End { .. })) {
                // A label value may run on into what follows, and an end is judged by it.
                self.cursor.at = start;
                self.ended = true;
                break;
            }
            match entry {
                Ok(Entry::Nothing) => {}
                Ok(Entry::Type { name, kind }) => {
                    self.progress.types.insert(name.into_owned(), kind);
                }
                Ok(Entry::Sample(sample)) => {
                    self.progress.quoted_names += u64::from(sample.quoted_names);
                    if (self.accept)(&sample.name) {
                        return Some((sample, &mut self.labels, start));
                    }
                    self.progress.not_accepted += 1;
                }
                Ok(Entry::End { unread }) => {
                    self.progress.unread_bytes = unread;
                    self.ended = true;
                }
                Err(error) => {
                    // A label value may run over several lines; most often its end was forgotten.
                    let runs_on = self.cursor.slice(start, self.cursor.at).contains(&b'\n');
                    self.bad(start, if runs_on { LineError::RunsOn } else { error });
                    self.ended = matches!(error, LineError::AfterEof(_));
                    self.cursor.at = start;
                    self.cursor.take_while(|byte| byte != b'\n');
                    self.cursor.at += 1;
                }
            }
        }
        None
    }

    /// Counts a bad line, which starts at `place`. Bad lines are told in the page's order, but for those that
    /// prometheus-parse refuses.
    pub(super) fn bad(&mut self, place: usize, error: LineError<'_>) {
        self.progress.bad_line_count += 1;
        if self.progress.bad_lines.len() >= MAX_BAD_LINES_KEPT {
            return;
        }
        if place < self.known_line.0 {
            self.known_line = (0, self.progress.line);
        }
        let skipped = self.cursor.slice(self.known_line.0, place);
        let line = self.known_line.1 + skipped.iter().filter(|byte| **byte == b'\n').count();
        self.known_line = (place, line);
        self.progress.bad_lines.push(BadLine { line, error: error.to_string() });
    }
}
