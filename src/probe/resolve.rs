//! Looks names up through an uplink, whatever the router's own resolver would say or by which way it would ask.
//!
//! The address that a name leads to depends on who asks and from where: Microsoft's front doors are chosen by it. So the
//! query leaves by the uplink that is measured, from its address, and every query has a socket of its own: with it a source
//! port of the kernel's choice, beside a random id. The socket is connected, so that only the server asked can answer.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, Type};
use thiserror::Error;
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout_at},
};

use super::{
    dns::{self, MOST_BYTES, Said},
    token::unguessable_number,
    uplink_socket,
};
use crate::domain::Family;

const PORT: u16 = 53;
/// Queries for one look-up, over all servers.
const MOST_TRIES: u32 = 3;
/// Datagrams looked at for one query that do not answer it.
const MOST_STRAY: usize = 16;

/// Why a name was not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// There is nobody to ask.
    #[error("no name server is known that can be asked through {interface}; name one in [probe] resolvers")]
    NoServer {
        /// Interface.
        interface: String,
    },
    /// It is no name.
    #[error("{name:?} is not a name that can be looked up")]
    NotAName {
        /// The text.
        name: String,
    },
    /// A server said so.
    #[error("{name} does not exist, says {server}")]
    NoSuchName {
        /// Name.
        name: String,
        /// Who said so.
        server: IpAddr,
    },
    /// It exists, without an address of this family.
    #[error("{name} has no {family} address, says {server}")]
    NoAddress {
        /// Name.
        name: String,
        /// Family.
        family: Family,
        /// Who said so.
        server: IpAddr,
    },
    /// The last server asked gave no usable answer.
    #[error("{name} could not be looked up through {interface}: {server} {problem}")]
    Unanswered {
        /// Name.
        name: String,
        /// Interface.
        interface: String,
        /// Server asked last.
        server: IpAddr,
        /// What it did.
        problem: String,
    },
}

/// Addresses of `name` in `family`, looked up through `interface`, from `source` where server and source are of one family.
/// Servers are asked in turn, three times in all at most, those of the family of `source` first; `timeout` is for all of it.
///
/// # Errors
/// When there is no address, and why.
pub async fn resolve(
    interface: &str,
    source: Option<IpAddr>,
    servers: &[IpAddr],
    name: &str,
    family: Family,
    timeout: Duration,
) -> Result<Vec<IpAddr>, ResolveError> {
    let servers: Vec<_> = servers.iter().map(|server| SocketAddr::new(*server, PORT)).collect();
    let (addresses, _) = look_up(interface, source, &servers, name, family, timeout).await?;
    Ok(addresses)
}

/// The same from any port, and with the time for which the answer is to be believed.
pub(super) async fn look_up(
    interface: &str,
    source: Option<IpAddr>,
    servers: &[SocketAddr],
    name: &str,
    family: Family,
    timeout: Duration,
) -> Result<(Vec<IpAddr>, Duration), ResolveError> {
    let deadline = Instant::now() + timeout;
    let own = |server: &&SocketAddr| source.is_none_or(|source| source.is_ipv4() == server.is_ipv4());
    let other = |server: &&SocketAddr| !own(server);
    let in_turn: Vec<_> = servers.iter().filter(own).chain(servers.iter().filter(other)).collect();
    let mut failure = ResolveError::NoServer { interface: interface.to_owned() };
    let mut too_long = false;
    for (tried, server) in (0..MOST_TRIES).zip(in_turn.into_iter().cycle()) {
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = Instant::now() + left / (MOST_TRIES - tried);
        let query = query(name, family, too_long)?;
        let source = source.filter(|source| source.is_ipv4() == server.is_ipv4());
        let said = timeout_at(patience, ask(interface, source, *server, &query, family)).await;
        let problem = match said {
            Ok(Ok(Said::Addresses(addresses, life))) if !addresses.is_empty() => return Ok((addresses, life)),
            Ok(Ok(Said::Addresses(..))) => {
                return Err(ResolveError::NoAddress { name: name.to_owned(), family, server: server.ip() });
            }
            Ok(Ok(Said::NoSuchName)) => {
                return Err(ResolveError::NoSuchName { name: name.to_owned(), server: server.ip() });
            }
            Ok(Ok(Said::Truncated)) => {
                too_long = true;
                "has more to say than fits into its answer".to_owned()
            }
            Ok(Ok(Said::Failed(code))) => format!("answered with {}", meaning(code)),
            Ok(Err(error)) => format!("could not be asked: {error}"),
            Err(_) => "did not answer in time".to_owned(),
        };
        failure = ResolveError::Unanswered {
            name: name.to_owned(),
            interface: interface.to_owned(),
            server: server.ip(),
            problem,
        };
    }
    Err(failure)
}

/// What a server is asked; `too_long` when an answer was cut off before.
fn query(name: &str, family: Family, too_long: bool) -> Result<Vec<u8>, ResolveError> {
    let query = dns::query(unguessable_number(), name, family);
    let mut query = query.ok_or_else(|| ResolveError::NotAName { name: name.to_owned() })?;
    if too_long {
        dns::welcome_long_answers(&mut query);
    }
    Ok(query)
}

/// Asks one server and waits for what it says.
async fn ask(
    interface: &str,
    source: Option<IpAddr>,
    server: SocketAddr,
    query: &[u8],
    family: Family,
) -> io::Result<Said> {
    let domain = Domain::for_address(server);
    let socket = uplink_socket::open(interface, source, domain, Type::DGRAM, Protocol::UDP)?;
    socket.connect(&server.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    socket.send(query).await?;
    let mut buffer = [0; MOST_BYTES as usize];
    for _ in 0..MOST_STRAY {
        let length = socket.recv(&mut buffer).await?;
        let said = buffer.get(..length).and_then(|message| dns::answer(message, query, family));
        if let Some(said) = said {
            return Ok(said);
        }
    }
    Err(io::Error::other("it answers something else"))
}

/// A response code in words (RFC 1035 section 4.1.1).
fn meaning(code: u8) -> String {
    match code {
        1 => "\"format error\"".to_owned(),
        2 => "\"server failure\"".to_owned(),
        4 => "\"not implemented\"".to_owned(),
        5 => "\"refused\"".to_owned(),
        code => format!("response code {code}"),
    }
}

#[cfg(test)]
mod tests;
