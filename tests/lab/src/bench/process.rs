//! Other programs: found, started in a namespace, ended; their memory and processor time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{LabError, Namespace};

/// A program that runs until it is dropped.
pub(super) struct Running {
    child: Child,
}

/// Memory of a process, in MiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Now (`VmRSS`).
    pub(super) resident: f64,
    /// At most so far (`VmHWM`).
    pub(super) peak: f64,
}

/// Where a program is, if it is installed.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/lib/frr"].map(PathBuf::from));
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

impl Running {
    /// Starts it in a namespace, silent but for its errors, which go to a file.
    pub(super) fn start(place: &Namespace, command: &mut Command, log: &Path) -> Result<Self, LabError> {
        let file = fs::File::create(log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|source| LabError::system(format!("create {}", log.display()), source))?;
        command.stdin(Stdio::null()).stdout(file.0).stderr(file.1);
        Ok(Self { child: place.spawn(command)? })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub(super) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An orderly end first: a routing daemon removes its sockets and its routes.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory of a process that lives.
pub(super) fn memory(id: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let mebibytes = |field: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
    };
    Some(Memory { resident: mebibytes("VmRSS")?, peak: mebibytes("VmHWM")? })
}

/// Processor time that the calling thread has used, its system calls included.
pub(super) fn thread_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or_default())
}

/// Processor time of a process that lives, its system calls included: of all its threads, or of one.
pub(super) fn time_of_tasks(id: u32, task: Option<i32>) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let wanted = threads.filter(|thread| task.is_none_or(|task| *thread.file_name() == *task.to_string()));
    let nanos = wanted.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
