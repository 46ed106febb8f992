//! What the schedule promises, over virtual time.

mod calm;
mod doubtful;
mod limits;
mod named;
mod world;
