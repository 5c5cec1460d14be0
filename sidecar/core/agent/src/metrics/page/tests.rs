//! The text format of Prometheus.

use super::*;

fn family(kind: MetricKind, point: Point) -> Family {
    Family {
        name: "breakwater_x",
        kind,
        labels: &["service"],
        bounds: &[0.5, 1.0],
        points: vec![point],
    }
}

fn point(label: &str, value: f64, buckets: &[u64]) -> Point {
    Point {
        labels: vec![label.to_owned().into()],
        value,
        buckets: buckets.to_vec(),
    }
}

#[test]
fn a_counter_is_one_sample() {
    let page = encode(&[family(MetricKind::Counter, point("shop/cart", 3.0, &[]))]);
    assert_eq!(
        page,
        "# TYPE breakwater_x counter\nbreakwater_x{service=\"shop/cart\"} 3\n"
    );
}

#[test]
fn buckets_of_a_histogram_add_up() {
    let page = encode(&[family(MetricKind::Histogram, point("a", 1.25, &[2, 1, 4]))]);
    let expected = "# TYPE breakwater_x histogram\n\
        breakwater_x_bucket{service=\"a\",le=\"0.5\"} 2\n\
        breakwater_x_bucket{service=\"a\",le=\"1\"} 3\n\
        breakwater_x_bucket{service=\"a\",le=\"+Inf\"} 7\n\
        breakwater_x_sum{service=\"a\"} 1.25\n\
        breakwater_x_count{service=\"a\"} 7\n";
    assert_eq!(page, expected);
}

#[test]
fn a_label_cannot_end_its_line() {
    let page = encode(&[family(MetricKind::Gauge, point("a\"\n\\", 0.0, &[]))]);
    assert!(
        page.ends_with("breakwater_x{service=\"a\\\"\\n\\\\\"} 0\n"),
        "{page}"
    );
}

#[test]
fn a_family_without_labels_has_no_braces() {
    let plain = Family {
        labels: &[],
        ..family(
            MetricKind::Gauge,
            Point {
                labels: vec![],
                value: 1.5,
                buckets: vec![],
            },
        )
    };
    assert!(encode(&[plain]).ends_with("breakwater_x 1.5\n"));
}
