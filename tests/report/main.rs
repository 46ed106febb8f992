//! Reporting against a real collector over real mutual TLS on loopback: what arrives, and what happens when the
//! collector, its certificate or the files of the agent are not as they should be.

mod agent;
mod failures;
mod values;
