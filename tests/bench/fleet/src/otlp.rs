//! The part of OTLP that messages of the contract name.
#![allow(dead_code)]

pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/mesh.otlp.v1.rs"));
}
