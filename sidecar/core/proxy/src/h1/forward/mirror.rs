//! Copies of a request for other services, as soon as all of it is here.

use http1::{Asked, Framing};

use super::Forward;
use crate::h1::kit::Kit;
use crate::h1::mirror::Copy;
use crate::h1::view::{Draft, RequestView};
use crate::stages::mirror::BODY_BYTES;

impl Forward<'_> {
    /// Makes the copies that are due. What asks for another protocol is not copied.
    pub(super) fn mirror(&mut self) {
        let sender = self.client.sender;
        let Kit {
            bytes,
            request,
            writer,
            ..
        } = &mut *self.kit;
        let kept = self.upload.kept(BODY_BYTES);
        self.exchange.mirror(kept, |exchange, body| {
            if request.upgrade.is_some() {
                return None;
            }
            let view = RequestView {
                head: request,
                bytes,
                sender,
            };
            let fields = &request.fields;
            writer.begin(fields);
            exchange.edit_request(
                &view,
                &mut Draft {
                    writer,
                    fields,
                    bytes,
                },
            );
            let framing = match request.framing {
                Framing::Chunked => Framing::Length(body.len() as u64),
                framing => framing,
            };
            writer.finish_request(bytes, request, framing);
            let mut copied = Vec::with_capacity(writer.len() + body.len());
            writer.copy_to(bytes, &mut copied);
            copied.extend_from_slice(body);
            Some(Copy {
                asked: Asked {
                    method: request.method,
                    upgrade: false,
                },
                bytes: copied.into(),
                body_bytes: body.len() as u64,
            })
        });
    }
}
