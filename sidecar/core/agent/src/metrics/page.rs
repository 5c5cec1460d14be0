//! Families as the text that Prometheus reads. Pure.

use std::fmt::Write;

use proxy::report::{Family, MetricKind, Point};

/// The page with `families`, in their order.
pub(crate) fn encode(families: &[Family]) -> String {
    let mut page = String::new();
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        let _ = writeln!(page, "# TYPE {} {}", family.name, type_of(family.kind));
        for point in &family.points {
            match family.kind {
                MetricKind::Histogram => histogram(&mut page, family, point),
                MetricKind::Counter | MetricKind::Gauge => {
                    sample(&mut page, family, "", point, None, point.value)
                }
            }
        }
    }
    page
}

const fn type_of(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

fn histogram(page: &mut String, family: &Family, point: &Point) {
    let bounds = family
        .bounds
        .iter()
        .map(f64::to_string)
        .chain(["+Inf".to_owned()]);
    let mut count = 0;
    for (bound, bucket) in bounds.zip(&point.buckets) {
        count += bucket;
        sample(page, family, "_bucket", point, Some(&bound), count as f64);
    }
    sample(page, family, "_sum", point, None, point.value);
    sample(page, family, "_count", point, None, count as f64);
}

fn sample(
    page: &mut String,
    family: &Family,
    suffix: &str,
    point: &Point,
    bound: Option<&str>,
    value: f64,
) {
    page.push_str(family.name);
    page.push_str(suffix);
    let names = family
        .labels
        .iter()
        .copied()
        .zip(point.labels.iter().map(AsRef::as_ref));
    let labels = names.chain(bound.map(|bound| ("le", bound)));
    let mut separator = '{';
    for (name, value) in labels {
        let _ = write!(page, "{separator}{name}=\"");
        escape(page, value);
        page.push('"');
        separator = ',';
    }
    let end = if separator == ',' { "}" } else { "" };
    let _ = writeln!(page, "{end} {value}");
}

fn escape(page: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' | '"' => page.extend(['\\', character]),
            '\n' => page.push_str("\\n"),
            _ => page.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
