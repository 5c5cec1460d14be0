//! Trailers in: read as strictly as a head, kept only if allowed, never merged into one.

use crate::line::{self, Lines};
use crate::{Cause, Fields, Known, Span, known};

/// The trailer section of one message.
#[derive(Debug)]
pub(crate) struct Trailers {
    /// The section as it comes.
    section: Vec<u8>,
    lines: Lines,
    /// Names the head's `Trailer` fields declare, as a list.
    declared: Vec<u8>,
    /// The lines that may be passed on.
    kept: Vec<u8>,
    limit: usize,
}

impl Trailers {
    pub(crate) fn new(buf: &[u8], fields: &Fields, limit: usize) -> Self {
        let mut declared = Vec::new();
        for value in fields.values(buf, Known::Trailer) {
            declared.extend_from_slice(value);
            declared.push(b',');
        }
        Self {
            section: Vec::new(),
            lines: Lines::default(),
            declared,
            kept: Vec::new(),
            limit,
        }
    }

    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Reads on; how much of `input` belonged to the section once its empty line came.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Option<usize>, Cause> {
        let before = self.section.len();
        let room = self.limit.saturating_sub(before);
        self.section
            .extend_from_slice(&input[..input.len().min(room)]);
        while let Some(line) =
            self.lines
                .next(&self.section, self.limit, Cause::TrailersTooLarge)?
        {
            if line.is_empty() {
                return Ok(Some(self.lines.start() - before));
            }
            self.keep(line)?;
        }
        Ok(None)
    }

    fn keep(&mut self, line: Span) -> Result<(), Cause> {
        let field = line::parse_field(&self.section, line)?;
        let name = field.name.of(&self.section);
        if known::may_be_trailer(name, known::lists(&self.declared, name)) {
            self.kept.extend_from_slice(line.of(&self.section));
            self.kept.extend_from_slice(b"\r\n");
        }
        Ok(())
    }
}
