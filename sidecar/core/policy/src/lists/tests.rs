use super::*;

fn values(lists: &Lists<char, 2>, which: usize, list: &List) -> String {
    let (mut lists, mut list) = (lists.clone(), *list);
    let first = std::iter::from_fn(|| {
        let place = list.first()?;
        lists.unlink(which, &mut list, place);
        Some(*lists.get(place))
    });
    first.collect()
}

#[test]
fn a_value_leaves_one_list_and_stays_in_the_other() {
    let mut lists = Lists::<char, 2>::new();
    let (mut all, mut vowels) = (List::EMPTY, List::EMPTY);
    let mut places = Vec::new();
    for letter in "abcde".chars() {
        let place = lists.insert(letter).place();
        lists.append(0, &mut all, place);
        if "ae".contains(letter) {
            lists.append(1, &mut vowels, place);
        }
        places.push(place);
    }
    for (place, left) in [(2, "abde"), (0, "bde"), (4, "bd")] {
        lists.unlink(0, &mut all, places[place]);
        assert_eq!(values(&lists, 0, &all), left);
    }
    assert_eq!(values(&lists, 1, &vowels), "ae");
    assert_eq!((all.len(), vowels.len()), (2, 2));
    assert_eq!(all.first().map(|first| *lists.get(first)), Some('b'));
}

#[test]
fn a_place_used_again_has_another_ticket() {
    let mut lists = Lists::<char, 1>::new();
    let first = lists.insert('a');
    assert_eq!(lists.remove(first.place()), 'a');
    let second = lists.insert('b');
    assert_eq!(first.place(), second.place());
    assert_eq!(lists.find(first), None);
    assert_eq!(lists.find(second), Some(second.place()));
    assert!(first.number() < second.number());
}

#[test]
fn churn_takes_no_more_memory() {
    let mut lists = Lists::<char, 1>::new();
    let mut list = List::EMPTY;
    for _ in 0..1000 {
        let place = lists.insert('a').place();
        lists.append(0, &mut list, place);
        lists.unlink(0, &mut list, place);
        lists.remove(place);
    }
    assert_eq!(lists.capacity(), 1);
}
