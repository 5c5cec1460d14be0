//! A first-in-first-out line that anybody may leave from the middle, at once and in constant time.
//!
//! A doubly linked list inside a vector; places of those who left are used again, so its memory is bounded by
//! the longest line there was.

/// Somebody's place in a line. Names its holder until that one left or was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    place: u32,
    number: u64,
}

const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Place {
    /// The number of the ticket waiting here; 0 when the place is free.
    number: u64,
    before: u32,
    after: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    places: Vec<Place>,
    /// The first free place; free places are linked through `after`.
    free: u32,
    first: u32,
    last: u32,
    length: u32,
    issued: u64,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NOBODY,
            first: NOBODY,
            last: NOBODY,
            length: 0,
            issued: 0,
        }
    }

    pub(super) const fn len(&self) -> u32 {
        self.length
    }

    pub(super) fn join(&mut self) -> Ticket {
        self.issued += 1;
        let place = self.take_place(Place {
            number: self.issued,
            before: self.last,
            after: NOBODY,
        });
        match self.last {
            NOBODY => self.first = place,
            last => self.places[last as usize].after = place,
        }
        self.last = place;
        self.length += 1;
        Ticket {
            place,
            number: self.issued,
        }
    }

    /// Calls the one who waited longest.
    pub(super) fn call(&mut self) -> Option<Ticket> {
        let place = self.first;
        let number = self.places.get(place as usize)?.number;
        self.unlink(place);
        Some(Ticket { place, number })
    }

    /// Takes somebody out; false when that one was called already.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        let is_waiting = self
            .places
            .get(ticket.place as usize)
            .is_some_and(|place| place.number == ticket.number);
        if is_waiting {
            self.unlink(ticket.place);
        }
        is_waiting
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.places.len()
    }

    fn take_place(&mut self, taken: Place) -> u32 {
        let place = self.free;
        if place == NOBODY {
            self.places.push(taken);
            return self.places.len() as u32 - 1;
        }
        self.free = self.places[place as usize].after;
        self.places[place as usize] = taken;
        place
    }

    fn unlink(&mut self, place: u32) {
        let Place { before, after, .. } = self.places[place as usize];
        match before {
            NOBODY => self.first = after,
            before => self.places[before as usize].after = after,
        }
        match after {
            NOBODY => self.last = before,
            after => self.places[after as usize].before = before,
        }
        self.places[place as usize] = Place {
            number: 0,
            before: NOBODY,
            after: self.free,
        };
        self.free = place;
        self.length -= 1;
    }
}
