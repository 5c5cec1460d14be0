use loom::sync::Arc;
use loom::thread;

use super::*;

#[test]
fn whoever_waits_is_told_whatever_comes_first() {
    loom::model(|| {
        let room = Arc::new(Room::default());
        let maker = {
            let room = Arc::clone(&room);
            thread::spawn(move || room.make())
        };
        let made = room.made();
        let waits = made == 0 && room.wait(made);
        let is_told = maker.join().is_ok_and(|told| told);
        assert!(is_told || !waits);
        assert_eq!(room.made(), 1);
    });
}

#[test]
fn room_that_is_made_again_and_again_is_told_to_whoever_waits() {
    loom::model(|| {
        let room = Arc::new(Room::default());
        let maker = {
            let room = Arc::clone(&room);
            thread::spawn(move || [room.make(), room.make()])
        };
        let waits = [room.wait(0), room.wait(1)];
        let is_told = maker.join().is_ok_and(|told| told.contains(&true));
        assert!(is_told || waits == [false, false]);
    });
}

#[test]
fn who_saw_the_room_does_not_wait() {
    loom::model(|| {
        let room = Room::default();
        assert!(!room.make());
        assert!(!room.wait(0));
        assert!(room.wait(1));
        assert!(room.make());
        assert!(!room.make());
        assert_eq!(room.made(), 3);
    });
}
