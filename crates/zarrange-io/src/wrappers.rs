//! Wrappers around any backend: they see every call, and change what they are told to.

pub mod counting;
pub mod faults;
pub mod joined;
pub mod stopping;
pub mod throttled;
