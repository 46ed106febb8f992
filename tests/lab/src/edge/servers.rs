//! TCP servers on every address of a namespace.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;

use super::{
    HTTP_PORT, TCP_PORT,
    connection::{Conduct, attend},
};
use crate::{LabError, Namespace};

/// Longest time that a connection may last; probes that were lost half-way must not pile up.
const IDLE: Duration = Duration::from_secs(120);

/// Chooses the conduct by the address of the client and the one that it came to.
type Choice = dyn Fn(SocketAddr, SocketAddr) -> Conduct + Send + Sync;

/// Running servers. Stop when dropped.
#[derive(Debug)]
pub(crate) struct Servers {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// Starts them in `namespace`, which must own the addresses that they are to answer on.
    pub(crate) fn start(
        namespace: &Namespace,
        name: &'static str,
        conduct: impl Fn(SocketAddr, SocketAddr) -> Conduct + Send + Sync + 'static,
    ) -> Result<Self, LabError> {
        let addresses = [TCP_PORT, HTTP_PORT].into_iter().flat_map(|port| {
            [SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
        });
        let listeners = namespace
            .run(|| addresses.map(listen).collect::<io::Result<Vec<_>>>())
            .map_err(|source| LabError::system(format!("listen on ports {TCP_PORT} and {HTTP_PORT}"), source))?;
        let (stop, stopped) = oneshot::channel();
        let conduct: Arc<Choice> = Arc::new(conduct);
        let thread = namespace.spawn_thread(name, move || {
            if let Err(error) = serve(listeners, &conduct, stopped) {
                panic!("the {name} cannot serve: {error}");
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn serve(listeners: Vec<TcpListener>, conduct: &Arc<Choice>, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, Arc::clone(conduct)));
        }
        // Ends with an error when the other end is dropped, which is the signal.
        let _ = stopped.await;
        Ok(())
    })
}

async fn accept(listener: tokio::net::TcpListener, conduct: Arc<Choice>) {
    loop {
        // A connection that its peer gave up before it was accepted is no failure of the server.
        if let Ok((stream, client)) = listener.accept().await
            && let Ok(server) = stream.local_addr()
        {
            tokio::spawn(attend(stream, conduct(client, server), IDLE));
        }
    }
}
