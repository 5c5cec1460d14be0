//! A question reads like the request it is about; it comes from nowhere.

use std::net::{IpAddr, Ipv4Addr};

use http1::Known;

use crate::report::Question;
use crate::request::{Request, Sender};

impl Request for Question {
    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn host(&self) -> &[u8] {
        self.service.name().as_bytes()
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn path(&self) -> &[u8] {
        self.path.split('?').next().unwrap_or_default().as_bytes()
    }

    fn query(&self) -> Option<&[u8]> {
        self.path.split_once('?').map(|(_, query)| query.as_bytes())
    }

    fn known(&self, name: Known) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header == name.as_str())?;
        Some(value.as_bytes())
    }

    fn visit(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let headers = self.headers.iter().filter(|(header, _)| header == name);
        headers.for_each(|(_, value)| each(value.as_bytes()));
    }

    fn protocol(&self) -> &'static str {
        "HTTP/1.1"
    }

    fn sender(&self) -> Sender {
        Sender {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            connection: 0,
        }
    }

    fn head_bytes(&self) -> u64 {
        let headers = self.headers.iter();
        let lengths = headers.map(|(name, value)| name.len() + value.len());
        (lengths.sum::<usize>() + self.path.len()) as u64
    }
}
