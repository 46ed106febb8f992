//! Tells the kernel of routes that the lab has no words for, as a routing daemon would.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAttribute, RouteMessage, RouteNextHop, RouteProtocol, RouteScope, RouteType, RouteVia},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use peerward::domain::IfIndex;
use peerward_lab::Namespace;

/// A route to tell of.
#[derive(Debug, Clone)]
pub struct Told(RouteMessage);

/// A route to `destination`, of the main table and a routing daemon.
pub fn route(destination: &str) -> Told {
    let destination: IpNet = destination.parse().unwrap();
    let mut message = RouteMessage::default();
    message.header.address_family = family(destination.addr());
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Destination(destination.network().into()));
    Told(message).table(254)
}

impl Told {
    pub fn table(mut self, table: u32) -> Self {
        self.0.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Table(_)));
        self.with(RouteAttribute::Table(table))
    }

    pub fn metric(self, metric: u32) -> Self {
        self.with(RouteAttribute::Priority(metric))
    }

    pub fn by(mut self, index: IfIndex) -> Self {
        if self.0.header.address_family == AddressFamily::Inet
            && !self.0.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Gateway(_)))
        {
            self.0.header.scope = RouteScope::Link;
        }
        self.with(RouteAttribute::Oif(index.0))
    }

    pub fn via(mut self, gateway: &str) -> Self {
        self.0.header.scope = RouteScope::Universe;
        let gateway: IpAddr = gateway.parse().unwrap();
        let attribute = if family(gateway) == self.0.header.address_family {
            RouteAttribute::Gateway(gateway.into())
        } else {
            RouteAttribute::Via(RouteVia::from(gateway))
        };
        self.with(attribute)
    }

    pub fn ways(self, ways: &[(IfIndex, &str)]) -> Self {
        let way = |(index, gateway): &(IfIndex, &str)| {
            let mut way = RouteNextHop::default();
            way.interface_index = index.0;
            way.attributes = vec![RouteAttribute::Gateway(gateway.parse::<IpAddr>().unwrap().into())];
            way
        };
        self.with(RouteAttribute::MultiPath(ways.iter().map(way).collect()))
    }

    pub fn from(mut self, source: &str) -> Self {
        let source: IpNet = source.parse().unwrap();
        self.0.header.source_prefix_length = source.prefix_len();
        self.with(RouteAttribute::Source(source.network().into()))
    }

    pub fn kind(mut self, kind: RouteType) -> Self {
        self.0.header.kind = kind;
        if kind == RouteType::Local {
            self.0.header.scope = RouteScope::Host;
        }
        self
    }

    pub fn add(self, to: &Namespace) {
        say(to, &RouteNetlinkMessage::NewRoute(self.0), NLM_F_CREATE | NLM_F_EXCL);
    }

    /// Tries one of the ways to change a table, in the namespace of this thread; the kernel may refuse.
    pub fn attempt(self, operation: usize) {
        let flags = [NLM_F_EXCL, 0, NLM_F_APPEND, NLM_F_REPLACE];
        match flags.get(operation) {
            Some(flags) => ask(RouteNetlinkMessage::NewRoute(self.0), NLM_F_CREATE | flags),
            None => self.forget(),
        };
    }

    /// Puts it behind others of its name, in the namespace of this thread.
    pub fn append(self) {
        assert!(ask(RouteNetlinkMessage::NewRoute(self.0), NLM_F_CREATE | NLM_F_APPEND));
    }

    /// Deletes what fits first, in the namespace of this thread; false when there is none.
    pub fn forget(mut self) -> bool {
        self.0.header.scope = RouteScope::NoWhere;
        ask(RouteNetlinkMessage::DelRoute(self.0), 0)
    }

    pub fn replace(self, to: &Namespace) {
        say(to, &RouteNetlinkMessage::NewRoute(self.0), NLM_F_CREATE | NLM_F_REPLACE);
    }

    pub fn delete(mut self, from: &Namespace) {
        self.0.header.scope = RouteScope::NoWhere;
        say(from, &RouteNetlinkMessage::DelRoute(self.0), 0);
    }

    fn with(mut self, attribute: RouteAttribute) -> Self {
        self.0.attributes.push(attribute);
        self
    }
}

/// Adds a rule that leads to a table.
pub fn rule(to: &Namespace, family: AddressFamily, preference: u32, table: u32) {
    say(to, &RouteNetlinkMessage::NewRule(rule_message(family, preference, table)), NLM_F_CREATE | NLM_F_EXCL);
}

/// Deletes it.
pub fn no_rule(to: &Namespace, family: AddressFamily, preference: u32, table: u32) {
    say(to, &RouteNetlinkMessage::DelRule(rule_message(family, preference, table)), 0);
}

fn rule_message(family: AddressFamily, preference: u32, table: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family;
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![RuleAttribute::Table(table), RuleAttribute::Priority(preference)];
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// Sends a request in a namespace; the kernel must agree.
pub fn say(namespace: &Namespace, request: &RouteNetlinkMessage, flags: u16) {
    assert!(namespace.run(|| ask(request.clone(), flags)), "refused: {request:?}");
}

/// Sends a request in the namespace of this thread; false when the kernel refuses.
pub fn ask(request: RouteNetlinkMessage, flags: u16) -> bool {
    let mut message = NetlinkMessage::from(request);
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).unwrap();
    let (answer, _) = socket.recv_from_full().unwrap();
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).unwrap();
    let NetlinkPayload::Error(verdict) = answer.payload else { panic!("{answer:?}") };
    verdict.code.is_none()
}
