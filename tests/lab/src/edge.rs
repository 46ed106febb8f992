//! The far end of the internet: owns every address but the branch's, and answers TCP on port 443 of each.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    thread::JoinHandle,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpStream, sync::oneshot};

use crate::{LabError, Namespace};

/// Port that accepts connections and echoes what it gets.
pub const TCP_PORT: u16 = 443;

/// Longest time that a connection may stay silent; probes that were lost half-way must not pile up.
const IDLE: Duration = Duration::from_secs(120);

/// The servers at the edge. Stop when dropped.
#[derive(Debug)]
pub(crate) struct EdgeServers {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EdgeServers {
    /// Starts them in `namespace`, which must own the addresses that they are to answer on.
    pub(crate) fn start(namespace: &Namespace) -> Result<Self, LabError> {
        let listeners = namespace
            .run(|| {
                Ok([
                    listen((Ipv4Addr::UNSPECIFIED, TCP_PORT).into())?,
                    listen((Ipv6Addr::UNSPECIFIED, TCP_PORT).into())?,
                ])
            })
            .map_err(|source: io::Error| {
                LabError::system(format!("listen on port {TCP_PORT} of the edge"), source)
            })?;
        let (stop, stopped) = oneshot::channel();
        let thread = namespace.spawn_thread("edge", move || {
            if let Err(error) = serve(listeners, stopped) {
                panic!("the edge cannot serve: {error}");
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for EdgeServers {
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

fn serve(listeners: [TcpListener; 2], stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener));
        }
        // Ends with an error when the other end is dropped, which is the signal.
        let _ = stopped.await;
        Ok(())
    })
}

async fn accept(listener: tokio::net::TcpListener) {
    loop {
        // A connection that its peer gave up before it was accepted is no failure of the server.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tokio::time::timeout(IDLE, echo(stream)));
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(())
}
