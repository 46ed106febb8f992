//! Interfaces: veth pairs between namespaces, addresses, states, neighbours.

use std::{
    net::IpAddr,
    os::fd::AsRawFd,
    sync::atomic::{AtomicU32, Ordering},
};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use netlink_packet_route::{
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags},
    link::{LinkAttribute, LinkFlags, LinkMessage},
    route::RouteType,
};
use rtnetlink::{Error, Handle, LinkUnspec, LinkVeth};

use crate::{LabError, Namespace, netlink::talk};

/// An interface by namespace and name; a handle, not the interface itself.
#[derive(Debug, Clone)]
pub struct Link {
    namespace: Namespace,
    name: String,
}

/// What the kernel says of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// Index; a re-created interface gets a new one.
    pub index: u32,
    /// Administratively up.
    pub admin_up: bool,
    /// Carrier present.
    pub carrier: bool,
    /// Operational (`IFF_RUNNING`): the kernel has noticed the carrier and lets packets out. Before, it drops them.
    pub running: bool,
}

impl Link {
    pub(crate) fn new(namespace: Namespace, name: impl Into<String>) -> Self {
        Self { namespace, name: name.into() }
    }

    /// Name of the interface.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace it is in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Sets it administratively up.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn up(&self) -> Result<(), LabError> {
        self.change("set up", |link| link.up().build())
    }

    /// Sets it administratively down. The other end of a veth pair loses its carrier by it.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn down(&self) -> Result<(), LabError> {
        self.change("set down", |link| link.down().build())
    }

    /// Renames it; it must be down. This handle keeps the old name.
    ///
    /// # Errors
    /// When it does not exist, is up, or the name is taken.
    pub fn rename(&self, to: &str) -> Result<Self, LabError> {
        self.change("rename", |link| link.name(to).build())?;
        Ok(Self::new(self.namespace.clone(), to))
    }

    /// Deletes it, and with it the other end of a veth pair.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn delete(&self) -> Result<(), LabError> {
        self.talk("delete", async |handle, index| handle.link().del(index).execute().await)
    }

    /// Adds an address that is usable at once (no duplicate address detection).
    ///
    /// # Errors
    /// When the interface does not exist or has that address already.
    pub fn add_address(&self, address: IpNet) -> Result<(), LabError> {
        self.talk(&format!("add address {address} to"), async |handle, index| {
            let mut request = handle.address().add(index, address.addr(), address.prefix_len());
            if address.addr().is_ipv6() {
                let message = request.message_mut();
                message.header.flags |= AddressHeaderFlags::Nodad;
                message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
            }
            request.execute().await
        })
    }

    /// Removes an address.
    ///
    /// # Errors
    /// When the interface does not have it.
    pub fn remove_address(&self, address: IpNet) -> Result<(), LabError> {
        self.talk(&format!("remove address {address} from"), async |handle, index| {
            let held = handle.address().get().set_link_index_filter(index).set_address_filter(address.addr());
            for message in held.execute().try_collect::<Vec<_>>().await? {
                handle.address().del(message).execute().await?;
            }
            Ok(())
        })
    }

    /// Adds a permanent neighbour.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn add_neighbour(&self, address: IpAddr, hardware: [u8; 6]) -> Result<(), LabError> {
        self.talk(&format!("add neighbour {address} to"), async |handle, index| {
            let request = handle.neighbours().add(index, address).kind(RouteType::Unicast);
            request.link_layer_address(&hardware).replace().execute().await
        })
    }

    /// What the kernel says of it now; `None` when it does not exist.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn state(&self) -> Result<Option<LinkState>, LabError> {
        let what = format!("read interface {}", self.name);
        talk(&self.namespace, &what, async |handle| {
            let links: Vec<_> = handle.link().get().execute().try_collect().await?;
            Ok(links.iter().find(|link| is_named(link, &self.name)).map(|link| LinkState {
                index: link.header.index,
                admin_up: link.header.flags.contains(LinkFlags::Up),
                carrier: link.header.flags.contains(LinkFlags::LowerUp),
                running: link.header.flags.contains(LinkFlags::Running),
            }))
        })
    }

    fn change(
        &self,
        verb: &str,
        message: impl FnOnce(rtnetlink::LinkMessageBuilder<LinkUnspec>) -> LinkMessage + Send,
    ) -> Result<(), LabError> {
        self.talk(verb, async |handle, index| {
            handle.link().change(message(LinkUnspec::new_with_index(index))).execute().await
        })
    }

    fn talk<T: Send>(
        &self,
        verb: &str,
        request: impl AsyncFnOnce(Handle, u32) -> Result<T, Error> + Send,
    ) -> Result<T, LabError> {
        let what = format!("{verb} interface {}", self.name);
        talk(&self.namespace, &what, async |handle: Handle| {
            let index = index_of(&handle, &self.name).await?;
            request(handle, index).await
        })
    }
}

/// Makes a veth pair with one end in each namespace. Both ends are down.
///
/// # Errors
/// When a name is taken or the kernel refuses.
pub fn veth(a: &Link, b: &Link) -> Result<(), LabError> {
    // Made under a unique name, because the wanted name of the far end may be taken in the near namespace.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let transit = format!("transit{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let what = format!("create veth pair {} - {}", a.name, b.name);
    talk(&a.namespace, &what, async |handle: Handle| {
        handle.link().add(LinkVeth::new(&a.name, &transit).build()).execute().await?;
        let far = LinkUnspec::new_with_name(&transit).setns_by_fd(b.namespace.fd().as_raw_fd()).build();
        handle.link().change(far).execute().await
    })?;
    b.namespace.link(transit).rename(&b.name)?;
    Ok(())
}

pub(crate) async fn index_of(handle: &Handle, name: &str) -> Result<u32, Error> {
    let found: Vec<_> = handle.link().get().match_name(name.to_owned()).execute().try_collect().await?;
    found.first().map(|link| link.header.index).ok_or(Error::RequestFailed)
}

fn is_named(link: &LinkMessage, name: &str) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::IfName(held) if held == name))
}
