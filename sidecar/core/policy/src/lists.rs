//! Values in lists that any of them may leave from the middle, at once and in constant time.
//!
//! Doubly linked lists inside one vector; a value may be in up to `N` of them at a time. Places of those that
//! left are used again, so the memory is bounded by the most values there ever were.

/// Names a value until it is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Greater than that of every earlier ticket.
    number: u64,
    place: u32,
}

impl Ticket {
    pub(crate) const fn place(self) -> u32 {
        self.place
    }

    pub(crate) const fn number(self) -> u64 {
        self.number
    }
}

const NOBODY: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Lists<T, const N: usize> {
    places: Vec<Place<T, N>>,
    /// The first free place; free places are linked like a list.
    free: u32,
    issued: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place<T, const N: usize> {
    /// The number of the ticket; 0 when the place is free.
    number: u64,
    value: T,
    links: [Link; N],
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

const UNLINKED: Link = Link {
    before: NOBODY,
    after: NOBODY,
};

/// The two ends of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    first: u32,
    last: u32,
    length: u32,
}

impl List {
    pub(crate) const EMPTY: Self = Self {
        first: NOBODY,
        last: NOBODY,
        length: 0,
    };

    pub(crate) const fn len(&self) -> u32 {
        self.length
    }

    pub(crate) const fn first(&self) -> Option<u32> {
        somebody(self.first)
    }

    pub(crate) const fn last(&self) -> Option<u32> {
        somebody(self.last)
    }
}

impl<T: Copy, const N: usize> Lists<T, N> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NOBODY,
            issued: 0,
        }
    }

    /// Takes a value in; it is in no list yet.
    pub(crate) fn insert(&mut self, value: T) -> Ticket {
        self.issued += 1;
        let number = self.issued;
        let taken = Place {
            number,
            value,
            links: [UNLINKED; N],
        };
        let place = self.free;
        if place == NOBODY {
            self.places.push(taken);
            let place = self.places.len() as u32 - 1;
            return Ticket { place, number };
        }
        self.free = self.places[place as usize].links[0].after;
        self.places[place as usize] = taken;
        Ticket { place, number }
    }

    /// Takes a value out that is in no list any more.
    pub(crate) fn remove(&mut self, place: u32) -> T {
        let free = self.free;
        let taken = &mut self.places[place as usize];
        taken.number = 0;
        taken.links[0].after = free;
        self.free = place;
        self.places[place as usize].value
    }

    /// The place of a value that was not taken out yet.
    pub(crate) fn find(&self, ticket: Ticket) -> Option<u32> {
        let taken = self.places.get(ticket.place as usize)?;
        (taken.number == ticket.number).then_some(ticket.place)
    }

    pub(crate) fn ticket(&self, place: u32) -> Ticket {
        let number = self.places[place as usize].number;
        Ticket { place, number }
    }

    pub(crate) fn get(&self, place: u32) -> &T {
        &self.places[place as usize].value
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.places[place as usize].value
    }

    /// Puts a value at the end of a list of kind `which`.
    pub(crate) fn append(&mut self, which: usize, list: &mut List, place: u32) {
        self.places[place as usize].links[which] = Link {
            before: list.last,
            after: NOBODY,
        };
        match somebody(list.last) {
            None => list.first = place,
            Some(last) => self.places[last as usize].links[which].after = place,
        }
        list.last = place;
        list.length += 1;
    }

    /// Takes a value out of a list of kind `which` that it is in.
    pub(crate) fn unlink(&mut self, which: usize, list: &mut List, place: u32) {
        let Link { before, after } = self.places[place as usize].links[which];
        match somebody(before) {
            None => list.first = after,
            Some(before) => self.places[before as usize].links[which].after = after,
        }
        match somebody(after) {
            None => list.last = before,
            Some(after) => self.places[after as usize].links[which].before = before,
        }
        list.length -= 1;
    }

    /// The places of a list, from its beginning.
    pub(crate) fn iter(&self, which: usize, list: &List) -> impl Iterator<Item = u32> {
        std::iter::successors(list.first(), move |&place| {
            somebody(self.places[place as usize].links[which].after)
        })
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.places.len()
    }
}

const fn somebody(place: u32) -> Option<u32> {
    if place == NOBODY { None } else { Some(place) }
}

#[cfg(test)]
mod tests;
