//! Reporting against a real collector over real mutual TLS on loopback: what arrives, and what happens when the
//! collector, its certificate or the files of the agent are not as they should be.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "a test that cannot go on ends here, and counts are exact in floating point"
)]

mod agent;
mod failures;
mod values;
