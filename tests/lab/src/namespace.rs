//! A network namespace, held by a file descriptor and entered by threads.

use std::{
    fmt,
    fs::{self, File},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    process::{Child, Command},
    sync::Arc,
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{LabError, Link, syscalls};

/// One network namespace. Cheap to clone; it lives until the last clone, process and interface in it is gone.
#[derive(Clone)]
pub struct Namespace {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    file: File,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.inner.name)
    }
}

impl Namespace {
    /// Makes a namespace with its loopback up and IPv6 addresses usable at once.
    ///
    /// # Errors
    /// When the kernel refuses; [`crate::enter`] must have succeeded before.
    pub fn new(name: impl Into<String>) -> Result<Self, LabError> {
        let name = name.into();
        let what = format!("create network namespace {name}");
        let file = thread::scope(|scope| {
            scope
                .spawn(|| {
                    syscalls::unshare_network()?;
                    File::open("/proc/thread-self/ns/net")
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .map_err(|source| LabError::system(what, source))?;
        let namespace = Self { inner: Arc::new(Inner { name, file }) };
        namespace.link("lo").up()?;
        // Duplicate address detection would keep every address tentative for a second.
        namespace.sysctl_for_all("ipv6", "accept_dad", "0")?;
        // IPv4 settings are inherited from the machine's own namespace, whatever its owner chose there.
        namespace.sysctl_for_all("ipv4", "accept_redirects", "0")?;
        namespace.sysctl_for_all("ipv4", "rp_filter", "0")?;
        Ok(namespace)
    }

    /// Name, for messages only.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Runs `work` on a fresh thread inside the namespace and returns its result. Sockets that it opens stay inside.
    ///
    /// # Panics
    /// When `work` panics, or the thread cannot enter the namespace that this value holds open.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.enter_thread();
                    work()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread that lives inside the namespace.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        thread_name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<thread::JoinHandle<T>, LabError> {
        let namespace = self.clone();
        thread::Builder::new()
            .name(thread_name.to_owned())
            .spawn(move || {
                namespace.enter_thread();
                work()
            })
            .map_err(|source| LabError::system(format!("start thread {thread_name}"), source))
    }

    /// Starts a process inside the namespace.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, LabError> {
        let what = format!("start {} in namespace {}", command.get_program().display(), self.name());
        // A child inherits the network namespace of the thread that starts it.
        self.run(|| command.spawn()).map_err(|source| LabError::system(what, source))
    }

    /// The interface of that name, whether it exists yet or not.
    pub fn link(&self, name: impl Into<String>) -> Link {
        Link::new(self.clone(), name)
    }

    /// Writes a sysctl, such as `net/ipv4/ip_forward`.
    ///
    /// # Errors
    /// When it does not exist or the kernel refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<(), LabError> {
        self.run(|| fs::write(format!("/proc/sys/{key}"), value))
            .map_err(|source| LabError::system(format!("set {key} to {value} in {}", self.name()), source))
    }

    /// Writes a setting of all interfaces of a family (`ipv4` or `ipv6`), those of today and those to come.
    ///
    /// # Errors
    /// When it does not exist or the kernel refuses the value.
    pub fn sysctl_for_all(&self, family: &str, key: &str, value: &str) -> Result<(), LabError> {
        self.sysctl(&format!("net/{family}/conf/all/{key}"), value)?;
        self.sysctl(&format!("net/{family}/conf/default/{key}"), value)
    }

    /// Reads a sysctl.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn read_sysctl(&self, key: &str) -> Result<String, LabError> {
        self.run(|| fs::read_to_string(format!("/proc/sys/{key}")))
            .map(|text| text.trim().to_owned())
            .map_err(|source| LabError::system(format!("read {key} in {}", self.name()), source))
    }

    /// A path by which `nsenter --net=…` of the same user enters it while this process lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.inner.file.as_raw_fd())
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.inner.file.as_fd()
    }

    fn enter_thread(&self) {
        if let Err(error) = move_into_link_name_space(self.fd(), Some(LinkNameSpaceType::Network)) {
            panic!("cannot enter network namespace {}: {error}", self.name());
        }
    }
}
