//! A strict sans-IO HTTP/1.1 codec: bytes in, events and byte ranges out.
//!
//! Heads are parsed where they lie: a [`RequestHead`] or [`ResponseHead`] is ranges of the read buffer, with the
//! [`Known`] names found in the same pass, and is sent on by a [`HeadWriter`] as runs of the same bytes. What two
//! readers could understand differently is refused with a [`Cause`]; whoever meets one closes the connection and
//! sends nothing on. However the reads fall, the same bytes give the same result, and each is looked at once.
//!
//! One exchange of a proxy, without the waiting:
//!
//! ```
//! use http1::{BodyDecoder, Cause, HeadWriter, Known, Limits, RequestHead, RequestParser, Step};
//!
//! # fn main() -> Result<(), Cause> {
//! let read = b"POST /cart HTTP/1.1\r\nHost: cart\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
//! let limits = Limits::default();
//! let (mut parser, mut head) = (RequestParser::new(limits), RequestHead::default());
//! let (mut writer, mut sent) = (HeadWriter::default(), Vec::new());
//!
//! // `None` would ask for more bytes; an error for `cause.status()` and the end of the connection.
//! let Some(body_at) = parser.parse(read, &mut head)? else { return Ok(()) };
//!
//! writer.begin(&head.fields);
//! writer.set(&head.fields, Known::BreakwaterDeadlineMs, b"250");
//! writer.finish_request(read, &head, head.framing);
//! writer.copy_to(read, &mut sent);
//!
//! let mut body = BodyDecoder::new(head.framing, read, &head.fields, &limits);
//! let mut at = body_at;
//! loop {
//!     match body.decode(&read[at..])? {
//!         Step::Data(range) => {
//!             sent.extend_from_slice(&read[at..][range.clone()]);
//!             at += range.end;
//!         }
//!         Step::NeedMore => break, // read more; at the peer's close, ask `body.close()`
//!         Step::Done(used) => {
//!             at += used; // the next request begins here
//!             break;
//!         }
//!     }
//! }
//! assert_eq!(at, read.len());
//! assert_eq!(
//!     sent,
//!     b"POST /cart HTTP/1.1\r\nHost: cart\r\nContent-Length: 2\r\nbreakwater-deadline-ms: 250\r\n\r\nhi"
//! );
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod body;
mod cause;
mod chars;
mod chunked;
mod connection;
mod encode;
mod fields;
mod framing;
mod known;
mod limits;
mod line;
mod path;
mod request;
mod request_line;
mod response;
mod span;
mod step;
mod trailers;
mod uri;
mod writer;

pub use body::{BodyDecoder, check_surplus};
pub use cause::Cause;
pub use connection::MAX_OPTIONS;
pub use encode::{CHUNK_END, ChunkSize, end_chunks};
pub use fields::{Field, Fields};
pub use framing::{Framing, Version};
pub use known::Known;
pub use limits::Limits;
pub use path::canonical_path;
pub use request::{RequestHead, RequestParser};
pub use request_line::{Method, TargetForm};
pub use response::{Asked, ResponseHead, ResponseParser};
pub use span::Span;
pub use step::Step;
pub use uri::{Authority, is_same_host, without_root};
pub use writer::HeadWriter;
