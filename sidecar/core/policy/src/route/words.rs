//! A match as people read it: `GET /cart* x-user=42 ?page=1`, with `~` before an expression.

use std::fmt::{self, Display, Formatter};

use super::matcher::{Field, Matcher, Path, Text};

impl Display for Matcher {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let method = self.method.as_deref().map(text);
        let path = self.path.as_ref().map(Path::to_string);
        let headers = self.headers.iter().map(|field| words("", field));
        let queries = self.queries.iter().map(|field| words("?", field));
        let all = method.into_iter().chain(path).chain(headers).chain(queries);
        let all: Vec<String> = all.collect();
        out.write_str(if all.is_empty() { "*" } else { "" })?;
        out.write_str(&all.join(" "))
    }
}

impl Display for Path {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => whole.fmt(out),
            Self::Prefix(prefix) => write!(out, "{}*", text(prefix)),
            Self::Call { service, method } => {
                let part = |part: &Option<Text>| {
                    let part = part.as_ref().map(Text::to_string);
                    part.unwrap_or_else(|| "*".to_owned())
                };
                write!(out, "{}/{}", part(service), part(method))
            }
        }
    }
}

impl Display for Text {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(expected) => out.write_str(&text(expected)),
            Self::Expression(expression) => {
                let whole = expression.as_str();
                let written = whole.strip_prefix("^(?:");
                let written = written.and_then(|rest| rest.strip_suffix(")$"));
                write!(out, "~{}", written.unwrap_or(whole))
            }
        }
    }
}

fn words(sign: &str, field: &Field) -> String {
    format!("{sign}{}={}", field.name, field.value)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
