use super::Line;

#[test]
fn a_value_can_neither_end_its_string_nor_its_line() {
    let mut line = Line(String::new());
    line.text("id", "a\"b\\c\nd\u{1b}[31m");
    line.maybe("none", None::<&str>);
    line.number("n", 1.5);
    assert_eq!(
        line.end(),
        "{\"id\":\"a\\\"b\\\\c\\u000ad\\u001b[31m\",\"none\":null,\"n\":1.5}\n"
    );
}
