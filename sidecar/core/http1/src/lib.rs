//! A strict sans-IO HTTP/1.1 codec: bytes in, events and byte ranges out.
