//! The messages of the contract, whole; a fleet uses some of them.
#![allow(dead_code)]

include!(concat!(env!("OUT_DIR"), "/mesh.v1.rs"));
