//! How the collector answers.

use std::collections::VecDeque;

/// One way to answer a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Answer {
    /// Takes everything.
    #[default]
    Accept,
    /// Takes all but `rejected` points or records, and says why.
    Partial {
        /// How many it does not take.
        rejected: i64,
        /// Why.
        message: String,
    },
    /// Takes nothing and answers this status with a `google.rpc.Status` that holds `message`.
    Status {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds.
        retry_after: Option<u32>,
        /// Why.
        message: String,
    },
    /// Takes nothing and answers 200 with these bytes as `text/html`, as a portal would.
    Page(String),
    /// Closes the connection instead of answering.
    Disconnect,
}

impl Answer {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, message: String::new() }
    }
}

/// What was told: some answers once, then one for good.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) next: VecDeque<Answer>,
    pub(super) standing: Answer,
}

impl Script {
    pub(super) fn take(&mut self) -> Answer {
        self.next.pop_front().unwrap_or_else(|| self.standing.clone())
    }
}
