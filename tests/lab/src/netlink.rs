//! One blocking netlink conversation inside a namespace.

use std::{future::Future, io};

use rtnetlink::{Error, Handle};

use crate::{LabError, Namespace};

/// Runs one conversation on a thread inside `namespace`; `what` names it in errors.
pub(crate) fn talk<T, F>(
    namespace: &Namespace,
    what: &str,
    conversation: impl FnOnce(Handle) -> F + Send,
) -> Result<T, LabError>
where
    T: Send,
    F: Future<Output = Result<T, Error>>,
{
    let outcome = namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            let pump = tokio::spawn(connection);
            let answer = conversation(handle).await;
            pump.abort();
            Ok::<_, io::Error>(answer)
        })
    });
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            Err(LabError::Netlink { what: format!("{what} in {}", namespace.name()), reason: words(&error) })
        }
        Err(source) => Err(LabError::system(format!("open netlink in {}", namespace.name()), source)),
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::NetlinkError(message) => message.to_io().to_string(),
        other => other.to_string(),
    }
}
