//! What one match of a rule asks of a request, as in the Gateway API.

use std::borrow::Cow;
use std::cmp::Reverse;

use regex::bytes::{Regex, RegexBuilder};

/// The most that one compiled expression may take, bytes: what an expression costs is decided when it is read.
const EXPRESSION_BYTES: usize = 256 * 1024;

/// A text that has to be found.
#[derive(Clone, Debug)]
pub enum Text {
    /// This one.
    Exact(Box<[u8]>),
    /// One that an expression matches from its beginning to its end.
    Expression(Regex),
}

impl Text {
    /// An expression over the whole text; its syntax is that of the `regex` crate, which takes linear time.
    ///
    /// It is about bytes: the classes are those of ASCII, and the tables of Unicode stay out of every sidecar.
    ///
    /// # Errors
    /// It is no expression, or one that takes too much memory.
    pub fn expression(source: &str) -> Result<Self, regex::Error> {
        let build = |text: &str| {
            RegexBuilder::new(text)
                .unicode(false)
                .size_limit(EXPRESSION_BYTES)
                .dfa_size_limit(EXPRESSION_BYTES)
                .build()
        };
        // What is none by itself, such as `a)|(?:b`, would get out of the group that it is put in.
        build(source)?;
        build(&format!("^(?:{source})$")).map(Self::Expression)
    }

    fn length(&self) -> usize {
        match self {
            Self::Exact(expected) => expected.len(),
            Self::Expression(expression) => expression.as_str().len(),
        }
    }

    fn is_met_by(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(expected) => **expected == *text,
            Self::Expression(expression) => expression.is_match(text),
        }
    }
}

/// A path that has to be found, in canonical form.
#[derive(Clone, Debug)]
pub enum Path {
    /// This one, or one that an expression matches.
    Whole(Text),
    /// One that begins with these segments; a slash at the end does not count.
    Prefix(Box<[u8]>),
    /// One of a gRPC method; any service, or any method, where `None`.
    Call {
        /// Full name of the service.
        service: Option<Text>,
        /// Name of the method.
        method: Option<Text>,
    },
}

impl Path {
    fn is_met_by(&self, path: &[u8]) -> bool {
        match self {
            Self::Whole(text) => text.is_met_by(path),
            Self::Prefix(prefix) => {
                let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            }
            Self::Call { service, method } => call_of(path).is_some_and(|(called, name)| {
                let holds = |text: &Option<Text>, part| {
                    text.as_ref().is_none_or(|text| text.is_met_by(part))
                };
                holds(service, called) && holds(method, name)
            }),
        }
    }
}

/// Service and method of a gRPC call, of whose path they are the two segments.
fn call_of(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let path = path.strip_prefix(b"/")?;
    let at = path.iter().position(|&byte| byte == b'/')?;
    let (service, method) = (&path[..at], &path[at + 1..]);
    (!service.is_empty() && !method.is_empty() && !method.contains(&b'/'))
        .then_some((service, method))
}

/// A header or a query parameter that has to be there; headers by their name in lower case.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: Text,
}

/// One match: everything in it has to hold.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// Any path where `None`.
    pub path: Option<Path>,
    /// Any method where `None`.
    pub method: Option<Box<[u8]>>,
    /// Headers.
    pub headers: Vec<Field>,
    /// Query parameters.
    pub queries: Vec<Field>,
}

/// What of a request is matched.
pub trait Request {
    /// Its method.
    fn method(&self) -> &[u8];
    /// Its path in canonical form, without the query.
    fn path(&self) -> &[u8];
    /// The value of a header, by its name in lower case; of several, joined by commas.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// The value of the first query parameter of a name.
    fn query(&self, name: &str) -> Option<Cow<'_, [u8]>>;
}

impl Matcher {
    /// Whether a request meets all of it.
    pub fn is_met_by(&self, request: &impl Request) -> bool {
        let holds = |value: Option<Cow<'_, [u8]>>, field: &Field| {
            value.is_some_and(|value| field.value.is_met_by(&value))
        };
        self.method
            .as_deref()
            .is_none_or(|method| method == request.method())
            && self
                .path
                .as_ref()
                .is_none_or(|path| path.is_met_by(request.path()))
            && self
                .headers
                .iter()
                .all(|field| holds(request.header(&field.name), field))
            && self
                .queries
                .iter()
                .all(|field| holds(request.query(&field.name), field))
    }

    /// Sorts the more specific first: an exact path, an expression, the longer prefix, a method, more headers,
    /// more query parameters (Gateway API, `HTTPRouteRule`; where expressions stand is left to us). Of gRPC calls the
    /// longer service, the longer method, more headers (`GRPCRouteRule`).
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let length = |text: &Option<Text>| text.as_ref().map_or(0, Text::length);
        let (kind, first, second) = match &self.path {
            Some(Path::Whole(Text::Exact(_))) => (3, 0, 0),
            Some(Path::Whole(expression)) => (2, expression.length(), 0),
            Some(Path::Prefix(prefix)) => (1, prefix.len(), 0),
            Some(Path::Call { service, method }) => (1, length(service), length(method)),
            None => (1, 1, 0),
        };
        let (headers, queries) = (self.headers.len(), self.queries.len());
        Reverse((kind, first, second, self.method.is_some(), headers, queries))
    }
}
