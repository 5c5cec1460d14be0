//! The conditions of `retry.when` and `failureOn`: what happened, HTTP statuses, gRPC codes.

use std::str::FromStr;

use crate::grpc::Code;

/// One condition, as a policy spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No connection, refused or too late.
    ConnectFailure,
    /// No response headers within the attempt's own timeout.
    PerTryTimeout,
    /// The upstream refused the stream, or went away below it, so no application saw it.
    RefusedStream,
    /// The connection or stream ended before response headers.
    Reset,
    /// An HTTP status, 100 to 599.
    Status(u16),
    /// A class of HTTP statuses: 5 is `5xx`.
    StatusClass(u8),
    /// A gRPC code other than `Ok`.
    Code(Code),
}

/// A word that names no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a condition, an HTTP status or a gRPC code, found {word:?}")]
pub struct UnknownCondition {
    word: String,
}

/// A set of conditions; small, and asked in constant time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    events: u8,
    codes: u32,
    /// A bit per status from 100 on.
    statuses: [u64; 8],
}

const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

impl FromStr for Condition {
    type Err = UnknownCondition;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let event = match word {
            "ConnectFailure" => Some(Self::ConnectFailure),
            "PerTryTimeout" => Some(Self::PerTryTimeout),
            "RefusedStream" => Some(Self::RefusedStream),
            "Reset" => Some(Self::Reset),
            _ => None,
        };
        event
            .or_else(|| parse_status(word))
            .or_else(|| parse_code(word))
            .ok_or_else(|| UnknownCondition {
                word: word.to_owned(),
            })
    }
}

fn parse_status(word: &str) -> Option<Condition> {
    let first = *word.as_bytes().first()?;
    match word.get(1..)? {
        "xx" if (b'1'..=b'5').contains(&first) => Some(Condition::StatusClass(first - b'0')),
        rest if rest.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit()) => {
            let status = word
                .parse()
                .ok()
                .filter(|status| STATUSES.contains(status))?;
            Some(Condition::Status(status))
        }
        _ => None,
    }
}

fn parse_code(word: &str) -> Option<Condition> {
    Code::from_policy_name(word)
        .filter(|&code| code != Code::Ok)
        .map(Condition::Code)
}

impl Conditions {
    /// The set of these words.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownCondition> {
        words.into_iter().map(str::parse).collect()
    }

    /// Whether the set holds a condition; of a class, whether it holds all of its statuses.
    #[must_use]
    pub fn contains(&self, condition: Condition) -> bool {
        match condition {
            Condition::Status(status) => self.has_status(status),
            Condition::StatusClass(class) => {
                statuses_of(class).all(|status| self.has_status(status))
            }
            Condition::Code(code) => self.codes & (1 << code.number()) != 0,
            event => self.events & event_bit(event) != 0,
        }
    }

    fn insert(&mut self, condition: Condition) {
        match condition {
            Condition::Status(status) => self.insert_status(status),
            Condition::StatusClass(class) => {
                statuses_of(class).for_each(|status| self.insert_status(status));
            }
            Condition::Code(code) => self.codes |= 1 << code.number(),
            event => self.events |= event_bit(event),
        }
    }

    fn insert_status(&mut self, status: u16) {
        if let Some((word, bit)) = status_bit(status) {
            self.statuses[word] |= bit;
        }
    }

    fn has_status(&self, status: u16) -> bool {
        status_bit(status).is_some_and(|(word, bit)| self.statuses[word] & bit != 0)
    }
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        let mut set = Self::default();
        conditions
            .into_iter()
            .for_each(|condition| set.insert(condition));
        set
    }
}

/// The bit of an event; none for statuses and codes, which have words of their own.
const fn event_bit(condition: Condition) -> u8 {
    match condition {
        Condition::ConnectFailure => 1,
        Condition::PerTryTimeout => 2,
        Condition::RefusedStream => 4,
        Condition::Reset => 8,
        Condition::Status(_) | Condition::StatusClass(_) | Condition::Code(_) => 0,
    }
}

fn statuses_of(class: u8) -> std::ops::Range<u16> {
    let first = u16::from(class) * 100;
    first..first + 100
}

fn status_bit(status: u16) -> Option<(usize, u64)> {
    let position = STATUSES
        .contains(&status)
        .then(|| usize::from(status - STATUSES.start()))?;
    Some((position / 64, 1 << (position % 64)))
}

#[cfg(test)]
mod tests;
