//! Reads `tests/testdata/http1/*.txt`; its README describes the format.

use std::collections::HashMap;
use std::path::Path;

use http1::{Asked, Method};

/// One case of the corpus.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    fields: HashMap<String, String>,
}

impl Case {
    pub(crate) fn expect(&self) -> &str {
        &self.fields["expect"]
    }

    /// The unescaped value of `key`, if the case has it.
    pub(crate) fn bytes_of(&self, key: &str) -> Option<Vec<u8>> {
        self.fields.get(key).map(|text| unescape(text))
    }

    /// The elements of `key`, none if the case has it not.
    pub(crate) fn list_of(&self, key: &str, separator: &str) -> Vec<&str> {
        self.fields
            .get(key)
            .map(|text| text.split(separator).map(str::trim).collect())
            .unwrap_or_default()
    }

    pub(crate) fn asked(&self) -> Asked {
        let asked = self.fields.get("asked").map_or("GET", String::as_str);
        let (method, rest) = asked.split_once(' ').unwrap_or((asked, ""));
        Asked {
            method: Method::find(method.as_bytes()),
            upgrade: rest == "upgrade",
        }
    }
}

/// Every case of `file`, in order.
pub(crate) fn read(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/testdata/http1")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    text.split("\n\n").filter_map(parse).collect()
}

fn parse(block: &str) -> Option<Case> {
    let fields: HashMap<_, _> = block
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (key, value) = line.split_once(':').unwrap();
            (
                key.to_owned(),
                value.strip_prefix(' ').unwrap_or(value).to_owned(),
            )
        })
        .collect();
    let name = fields.get("case")?.clone();
    Some(Case {
        bytes: unescape(&fields["bytes"]),
        name,
        fields,
    })
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = push_escape(&mut bytes, escape);
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Adds what `escape`, the text after a backslash, begins with; what follows it.
fn push_escape<'text>(bytes: &mut Vec<u8>, escape: &'text str) -> &'text str {
    let (kind, rest) = escape.split_at(1);
    match kind {
        "r" => bytes.push(b'\r'),
        "n" => bytes.push(b'\n'),
        "t" => bytes.push(b'\t'),
        "\\" => bytes.push(b'\\'),
        "x" => {
            bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
            return &rest[2..];
        }
        "{" => {
            let (times, rest) = rest.split_once('*').unwrap();
            let (text, rest) = rest.split_once('}').unwrap();
            bytes.extend(unescape(text).repeat(times.parse().unwrap()));
            return rest;
        }
        _ => panic!("no such escape: \\{kind}"),
    }
    rest
}
