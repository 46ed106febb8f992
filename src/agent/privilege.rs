//! What the mode needs is checked before anything is touched, so that the answer is a sentence and not an EPERM.

use super::AgentError;

/// `CAP_NET_ADMIN` in the effective set of this thread.
///
/// # Errors
/// When it is missing, with the ways to grant it.
pub fn require_net_admin() -> Result<(), AgentError> {
    let held = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::NET_ADMIN));
    if held {
        return Ok(());
    }
    let program = std::env::current_exe()
        .map_or_else(|_| "/usr/bin/peerward".to_owned(), |program| program.display().to_string());
    Err(AgentError::NotPrivileged { program })
}
