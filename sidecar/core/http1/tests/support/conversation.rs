//! Plays a peer's bytes through the codec as a proxy would, in any reads.

use http1::{
    Asked, BodyDecoder, Cause, HeadWriter, Limits, RequestHead, RequestParser, ResponseHead,
    ResponseParser, Step, Version, check_surplus,
};

/// How far a conversation got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum End {
    /// Every message was whole when the peer closed.
    #[default]
    Whole,
    /// The peer closed inside a message.
    Cut,
    /// Refused before its head went on.
    RefusedAtHead(Cause),
    /// Refused after its head went on.
    RefusedInBody(Cause),
}

/// What came of a conversation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Whole messages.
    pub(crate) count: usize,
    /// Every head as passed on.
    pub(crate) heads: Vec<Vec<u8>>,
    /// The decoded body of the last message, and its trailers.
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<u8>,
}

/// Which side a conversation plays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Requests,
    Responses(Asked),
}

/// Plays `bytes` in the reads that end at `ends` (ascending; the last read is the rest), then closes.
pub(crate) fn play(side: Side, bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let mut conversation = Conversation::new(side);
    for end in ends.into_iter().chain([bytes.len()]) {
        if let Err(end) = conversation.read(&bytes[..end]) {
            conversation.outcome.end = end;
            return conversation.outcome;
        }
    }
    conversation.close()
}

struct Conversation {
    side: Side,
    requests: RequestParser,
    request: RequestHead,
    responses: ResponseParser,
    response: ResponseHead,
    writer: HeadWriter,
    body: Option<BodyDecoder>,
    at: usize,
    is_answered: bool,
    outcome: Outcome,
}

impl Conversation {
    fn new(side: Side) -> Self {
        let asked = match side {
            Side::Responses(asked) => asked,
            Side::Requests => Asked::default(),
        };
        Self {
            side,
            requests: RequestParser::new(Limits::default()),
            request: RequestHead::default(),
            responses: ResponseParser::new(Limits::default(), asked),
            response: ResponseHead::default(),
            writer: HeadWriter::default(),
            body: None,
            at: 0,
            is_answered: false,
            outcome: Outcome::default(),
        }
    }

    /// Goes on with all `bytes` read so far.
    fn read(&mut self, bytes: &[u8]) -> Result<(), End> {
        while self.at < bytes.len() || self.body.is_some() {
            let goes_on = match &self.body {
                Some(_) => self.read_body(bytes).map_err(End::RefusedInBody)?,
                None if self.is_answered => {
                    check_surplus(&bytes[self.at..]).map_err(End::RefusedInBody)?;
                    false
                }
                None => self
                    .read_head(&bytes[self.at..])
                    .map_err(End::RefusedAtHead)?,
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn read_head(&mut self, buf: &[u8]) -> Result<bool, Cause> {
        let length = match self.side {
            Side::Requests => self.requests.parse(buf, &mut self.request)?,
            Side::Responses(_) => self.responses.parse(buf, &mut self.response)?,
        };
        let Some(length) = length else {
            return Ok(false);
        };
        self.pass_on(buf);
        let (framing, fields) = match self.side {
            Side::Requests => (self.request.framing, &self.request.fields),
            Side::Responses(_) => (self.response.framing, &self.response.fields),
        };
        self.body = Some(BodyDecoder::new(framing, buf, fields, &Limits::default()));
        self.at += length;
        (self.outcome.body, self.outcome.trailers) = Default::default();
        Ok(true)
    }

    fn pass_on(&mut self, buf: &[u8]) {
        let mut out = Vec::new();
        match self.side {
            Side::Requests => {
                self.writer.begin(&self.request.fields);
                self.writer.remove_internal(&self.request.fields);
                self.writer
                    .finish_request(buf, &self.request, self.request.framing);
            }
            Side::Responses(_) => {
                let framing = self.response.framing.towards(Version::Http11);
                self.writer.begin(&self.response.fields);
                self.writer
                    .finish_response(buf, &self.response, framing, false);
            }
        }
        self.writer.copy_to(buf, &mut out);
        assert_eq!(out.len(), self.writer.len());
        self.outcome.heads.push(out);
    }

    fn read_body(&mut self, bytes: &[u8]) -> Result<bool, Cause> {
        let Some(body) = &mut self.body else {
            return Ok(true);
        };
        let rest = &bytes[self.at..];
        match body.decode(rest)? {
            Step::Data(range) => {
                self.outcome.body.extend_from_slice(&rest[range.clone()]);
                self.at += range.end;
            }
            Step::NeedMore => {
                self.at = bytes.len();
                return Ok(false);
            }
            Step::Done(used) => {
                self.at += used;
                self.end_message();
            }
        }
        Ok(true)
    }

    fn end_message(&mut self) {
        if let Some(body) = self.body.take() {
            self.outcome.trailers = body.trailers().to_vec();
        }
        self.outcome.count += 1;
        self.is_answered = matches!(self.side, Side::Responses(_)) && !self.response.is_interim();
    }

    fn close(mut self) -> Outcome {
        let is_idle = match self.side {
            Side::Requests => !self.requests.is_inside(),
            Side::Responses(_) => self.is_answered,
        };
        let is_whole = match &self.body {
            Some(body) => body.close().is_ok(),
            None => is_idle,
        };
        if self.body.is_some() && is_whole {
            self.end_message();
        }
        self.outcome.end = if is_whole { End::Whole } else { End::Cut };
        self.outcome
    }
}
