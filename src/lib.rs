//! Peerward steers Microsoft-bound traffic of a branch router to the right regional Azure Peering Service ISP.
//!
//! The data's journey, one direction, no cycles:
//!
//! 1. [`config`] reads one TOML file into a validated [`config::Config`]; [`partners`] knows Microsoft's published
//!    Peering Service partners and their markets.
//! 2. [`catalogue`] reads Microsoft's own lists into destinations and groups the steered ones into classes.
//! 3. [`kernel`] keeps a live picture of links, addresses, neighbours and default routes.
//! 4. [`probe`] measures every path (uplink × class); [`quality`] judges the samples.
//! 5. [`select`] decides which uplink each class uses, and why.
//! 6. [`plan`] turns decisions into the FIB that the kernel should hold, and into the difference from what it holds;
//!    [`kernel`] applies it.
//! 7. [`telemetry`] reports upstream; [`recording`] keeps what was measured; [`local`] and [`cli`] show people.
//!
//! [`doctor`] looks for what stands in the way of all this, at start and on request.
//!
//! [`quality`], [`select`] and [`plan`] are pure: no I/O, no clock, no log line. [`agent`] alone composes.

// One system call has no safe wrapper: `probe::tcp_info`, which alone allows unsafe code, and says why it is sound.
#![deny(unsafe_code)]

pub mod agent;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod kernel;
pub mod local;
pub mod partners;
pub mod passive;
pub mod plan;
pub mod probe;
pub mod quality;
pub mod recording;
pub mod rehearsal;
pub mod replay;
pub mod select;
pub mod survey;
pub mod telemetry;
