//! A page read as it arrives, so that a large one never stands in memory as a whole.

use cachescope_model::time::Timestamp;

use super::handover::Parser;
use super::reader::{Progress, Reader};
use super::stored::{KnownSeries, Stored};
use super::{Format, Page, Unreadable, is_html};

/// Bytes that are awaited before some of the page is read: enough for two threads to share the work.
const PART_BYTES: usize = 1024 * 1024;

/// A page that is on its way.
///
/// Whole lines are read and let go of as soon as there are enough of them. What can't be judged without the
/// rest of the page, a line with an error in it or an end before the end, waits for it: the result is that of
/// [`parse_accepted`](super::parse_accepted) on the whole page, however it was cut.
pub struct Incoming {
    fetched_at: Timestamp,
    /// `None` while it is read, and where nothing more is to be read.
    progress: Option<Progress>,
    unreadable: Option<Unreadable>,
    begun: bool,
    parser: Parser,
    stored: Stored,
    waiting: Vec<u8>,
    part_bytes: usize,
    /// How many bytes have to wait before the next attempt.
    enough: usize,
}

impl Incoming {
    /// Nothing has arrived yet; the parameters are those of [`parse`](super::parse).
    #[must_use]
    pub fn new(content_type: Option<&str>, fetched_at: Timestamp) -> Self {
        Self::in_parts(PART_BYTES, content_type, fetched_at)
    }

    pub(super) fn in_parts(part_bytes: usize, content_type: Option<&str>, fetched_at: Timestamp) -> Self {
        let format = Format::of(content_type);
        Self {
            fetched_at,
            progress: Some(Progress::new(format)),
            unreadable: (format == Format::Binary).then_some(Unreadable::Binary),
            begun: false,
            parser: Parser::default(),
            stored: Stored::default(),
            waiting: Vec::new(),
            part_bytes,
            enough: part_bytes,
        }
    }

    /// Takes the next piece, of any length.
    pub fn push(&mut self, piece: &[u8], accept: &dyn Fn(&str) -> bool) {
        self.waiting.extend_from_slice(piece);
        if self.waiting.len() < self.enough {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let whole_lines = waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let read = self.read(&waiting[..whole_lines], true, accept);
        waiting.drain(..read);
        // What could not be read now is not tried again with every piece.
        self.enough = self.part_bytes + 2 * waiting.len();
        self.waiting = waiting;
    }

    /// Takes over the series that the page had last time.
    #[must_use]
    pub fn knowing(mut self, known: KnownSeries) -> Self {
        self.stored = Stored::knowing(known);
        self
    }

    /// The page has arrived: what it holds, and its series for the next time.
    #[must_use]
    pub fn finish(mut self, accept: &dyn Fn(&str) -> bool) -> (Page, KnownSeries) {
        let waiting = std::mem::take(&mut self.waiting);
        self.read(&waiting, false, accept);
        let known = self.stored.end();
        (self.into_page(), known)
    }

    /// Reads the next part and says how many bytes of it need not be kept.
    pub(super) fn read(&mut self, part: &[u8], more: bool, accept: &dyn Fn(&str) -> bool) -> usize {
        if !std::mem::replace(&mut self.begun, true) && is_html(part) {
            self.unreadable = Some(Unreadable::Html);
        }
        if self.unreadable.is_some() {
            return part.len();
        }
        let Some(progress) = self.progress.take() else { return part.len() };
        let mut reader = Reader::new(part, progress, more, accept);
        self.parser.read(&mut reader, &mut self.stored, self.fetched_at);
        let (read, progress) = reader.stop();
        self.progress = Some(progress);
        read
    }

    pub(super) fn into_page(self) -> Page {
        match (self.unreadable, self.progress) {
            (Some(what), _) => Page::unreadable(what),
            (None, Some(progress)) => progress.into_page(self.stored),
            (None, None) => Page::default(),
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Incoming").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
