//! Pure: decisions in, the FIB that the kernel should hold out; and the ordered difference from what it holds.
//!
//! May know the domain and `config::Kernel`, as values. No I/O, no clock, no log line.
//!
//! A class has one next-hop group for its primary and one for its backup path, and its routes refer to these by id:
//! moving a class is one message, whatever its number of routes. [`Layout`] knows the routes and the ids,
//! [`Layout::desired`] makes the FIB of a set of placements, [`difference`] the messages that lead to it.

mod aggregate;
mod desired;
mod difference;
mod fib;
mod held;
mod ids;
mod layout;
mod territory;

#[cfg(test)]
mod tests;

pub use aggregate::aggregate;
pub use desired::Placement;
pub use difference::{at_once, difference};
pub use fib::{Change, Fib, Group, Hashing, NextHopId, Rule, Selector, Via};
pub use held::Holdings;
pub use layout::{Layout, Side};
pub use territory::space_of;
