//! Peerward steers Microsoft-bound traffic of a branch router to the right regional Azure Peering Service ISP.

#![forbid(unsafe_code)]

pub mod config;
pub mod domain;
