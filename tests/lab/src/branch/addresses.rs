//! The numbering plan of the box.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The client behind the branch.
pub const CLIENT_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 77, 10));
/// The client behind the branch.
pub const CLIENT_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x10));
/// An address of Exchange Online (Microsoft 365, category Optimize).
pub const MICROSOFT_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(13, 107, 6, 152));
/// An address of Exchange Online (Microsoft 365, category Optimize).
pub const MICROSOFT_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2620, 0x1ec, 4, 0, 0, 0, 0, 0x152));
/// A host on the internet that is not Microsoft's.
pub const INTERNET_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
/// A host on the internet that is not Microsoft's.
pub const INTERNET_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x10));
/// A name server on the internet, as every address there is one.
pub const RESOLVER_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 53));
/// A name server on the internet, as every address there is one.
pub const RESOLVER_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x53));
/// The host in the management network, where a collector listens.
pub const OPS_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Link-local address of every ISP's router: the IPv6 gateway, as router advertisements would give it.
pub(super) const GATEWAY_IPV6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

pub(super) const LAN_ROUTER_IPV4: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
pub(super) const LAN_ROUTER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1);
pub(super) const OPS_ROUTER_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// `address` with a prefix length that is constant and right.
pub(super) fn net(address: impl Into<IpAddr>, length: u8) -> IpNet {
    match address.into() {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, length).into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, length).into(),
    }
}

pub(super) fn default_ipv4() -> IpNet {
    net(Ipv4Addr::UNSPECIFIED, 0)
}

pub(super) fn default_ipv6() -> IpNet {
    net(Ipv6Addr::UNSPECIFIED, 0)
}

/// Prefixes of the branch's LAN.
pub(super) fn lan() -> [IpNet; 2] {
    [net(LAN_ROUTER_IPV4, 24), net(LAN_ROUTER_IPV6, 64)].map(|net| net.trunc())
}

/// Prefixes that hold the access networks of all ISPs.
pub(super) fn access() -> [IpNet; 2] {
    [net(access_ipv4(0, 0), 24), net(access_ipv6(0, 0), 40)].map(|net| net.trunc())
}

/// The access network of an ISP, in both families.
pub(super) fn access_of(isp: u8) -> [IpNet; 2] {
    [net(access_ipv4(isp, 0), 30), net(access_ipv6(isp, 0), 64)]
}

/// Host `host` (1 the ISP, 2 the branch) in the access network of an ISP, a /30.
pub(super) fn access_ipv4(isp: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 4 * isp + host)
}

/// Host `host` (1 the ISP, 2 the branch) in the access network of an ISP, a /64.
pub(super) fn access_ipv6(isp: u8, host: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x100 + u16::from(isp), 0, 0, 0, 0, host.into())
}

/// Host `host` in the network that an ISP delegates to the branch, a /64 within its space.
pub(super) fn delegated_ipv6(isp: u8, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x1a0 + u16::from(isp), 0, 0, 0, 0, host)
}
