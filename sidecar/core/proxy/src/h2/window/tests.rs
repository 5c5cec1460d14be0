use super::*;

#[test]
fn it_has_room_for_the_window_of_every_stream() {
    let mut window = Window::default();
    for streams in 0..1_000 {
        window.grow(streams);
        assert!(window.0 as usize >= streams * STREAM_WINDOW as usize);
    }
}

#[test]
fn it_is_told_once_in_a_while_and_never_shrinks() {
    let mut window = Window::default();
    let told = (0..250)
        .filter(|&streams| window.grow(streams).is_some())
        .count();
    assert_eq!(told, 15);
    assert_eq!(window.grow(0), None);
    assert_eq!(window.0, 16 * CONNECTION_WINDOW);
}
