//! An uplink as people read it.

use std::{fmt, sync::Arc};

/// Name of an uplink with its ISP; prints the ISP alone where that says all: `NTT`, or `NTT (wan1)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Uplink.
    pub uplink: Arc<str>,
    /// ISP of the uplink.
    pub isp: Arc<str>,
    /// Whether it is the ISP's only uplink.
    pub sole: bool,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sole || self.uplink == self.isp {
            f.write_str(&self.isp)
        } else {
            write!(f, "{} ({})", self.isp, self.uplink)
        }
    }
}
