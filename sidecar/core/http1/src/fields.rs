//! The fields of a head: spans, numbered by place, with the known ones at hand.

use crate::known::{self, Class};
use crate::{Cause, Known, Limits, Span};

/// One field line.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name, in the case it came in.
    pub name: Span,
    /// The value without the spaces around it.
    pub value: Span,
    /// Which known name it is.
    pub known: Option<Known>,
}

/// A set of fields, by place: bit `i` is field `i`.
pub(crate) type Mask = u128;

const NONE: u8 = u8::MAX;

/// The fields of a head in the order they came, reusable from message to message.
#[derive(Clone, Debug)]
pub struct Fields {
    list: Vec<Field>,
    /// Place of the first field of each known name.
    first: [u8; Known::COUNT],
    /// Known names that came more than once.
    repeated: u64,
    pub(crate) hop: Mask,
    pub(crate) internal: Mask,
    /// Where the empty line after the fields begins.
    pub(crate) end: usize,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            first: [NONE; Known::COUNT],
            repeated: 0,
            hop: 0,
            internal: 0,
            end: 0,
        }
    }
}

/// `repeated` has a bit for every known name.
const _: () = assert!(Known::COUNT <= 64);

impl Fields {
    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.list.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a field named `known` is there.
    pub const fn has(&self, known: Known) -> bool {
        self.first[known as usize] != NONE
    }

    /// The value of the first field named `known`.
    pub fn value<'buf>(&self, buf: &'buf [u8], known: Known) -> Option<&'buf [u8]> {
        self.find(known).map(|field| field.value.of(buf))
    }

    /// The first field named `known`.
    pub fn find(&self, known: Known) -> Option<&Field> {
        self.list.get(self.first[known as usize] as usize)
    }

    /// Whether more than one field is named `known`.
    pub const fn is_repeated(&self, known: Known) -> bool {
        self.repeated & (1 << known as u8) != 0
    }

    /// Every value of the fields named `known`, in order.
    pub fn values<'buf>(&self, buf: &'buf [u8], known: Known) -> impl Iterator<Item = &'buf [u8]> {
        let first = usize::from(self.first[known as usize]).min(self.list.len());
        self.list[first..]
            .iter()
            .filter(move |field| field.known == Some(known))
            .map(move |field| field.value.of(buf))
    }

    /// The value of the first field named `name` in any case: a search, for names that only
    /// configuration knows.
    pub fn search<'buf>(&self, buf: &'buf [u8], name: &[u8]) -> Option<&'buf [u8]> {
        self.list
            .iter()
            .find(|field| field.name.of(buf).eq_ignore_ascii_case(name))
            .map(|field| field.value.of(buf))
    }

    /// Every field but those that concern this connection alone, which `Connection` or their own name
    /// says: what a translation to HTTP/2 passes on.
    pub fn end_to_end(&self) -> impl Iterator<Item = &Field> {
        let hop = self.hop;
        self.list
            .iter()
            .enumerate()
            .filter(move |(place, _)| hop & (1 << place) == 0)
            .map(|(_, field)| field)
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.first = [NONE; Known::COUNT];
        (self.repeated, self.hop, self.internal, self.end) = (0, 0, 0, 0);
    }

    /// Adds a field, noting what its name means.
    pub(crate) fn push(&mut self, buf: &[u8], field: Field, limits: &Limits) -> Result<(), Cause> {
        let place = self.list.len();
        if place >= limits.fields.min(Limits::MOST_FIELDS) {
            return Err(Cause::TooManyFields);
        }
        match field.known {
            Some(known) => self.note(known, place),
            None if known::is_internal(field.name.of(buf)) => self.internal |= 1 << place,
            None => {}
        }
        self.list.push(field);
        Ok(())
    }

    fn note(&mut self, known: Known, place: usize) {
        let first = &mut self.first[known as usize];
        if *first == NONE {
            *first = place as u8;
        } else {
            self.repeated |= 1 << known as u8;
        }
        match known.class() {
            Class::Hop => self.hop |= 1 << place,
            Class::Internal => self.internal |= 1 << place,
            Class::Protected | Class::Trailer => {}
        }
    }

    /// The fields named `known`.
    pub(crate) fn mask_of(&self, known: Known) -> Mask {
        if !self.has(known) {
            return 0;
        }
        self.mask_where(|field| field.known == Some(known))
    }

    /// The fields that `chosen` picks.
    pub(crate) fn mask_where(&self, chosen: impl Fn(&Field) -> bool) -> Mask {
        self.list
            .iter()
            .enumerate()
            .filter(|(_, field)| chosen(field))
            .fold(0, |mask, (place, _)| mask | 1 << place)
    }

    /// Where the line of the field at `place` begins; the empty line's place for one past the last.
    pub(crate) fn line_start(&self, place: usize) -> usize {
        self.list
            .get(place)
            .map_or(self.end, |field| field.name.start as usize)
    }
}
