//! Finds the `peerward` binary, or builds it the way this program was built.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::LabError;

/// Variable that names a ready binary.
const OVERRIDE: &str = "PEERWARD_BIN";

/// The binary to test: `PEERWARD_BIN`, or the workspace's own, built now in the profile of the running program.
///
/// # Errors
/// When the named file does not exist, or cargo fails.
pub fn find() -> Result<PathBuf, LabError> {
    if let Some(named) = env::var_os(OVERRIDE) {
        let path = PathBuf::from(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(LabError::Binary { reason: format!("{OVERRIDE} names {}, which is not a file", path.display()) })
        };
    }
    let place = Place::of_this_program()?;
    build(&place)?;
    Ok(place.profile_directory.join("peerward"))
}

/// Where this program was built: `TARGET/PROFILE/…`.
struct Place {
    profile_directory: PathBuf,
}

impl Place {
    fn of_this_program() -> Result<Self, LabError> {
        let program = env::current_exe().map_err(|error| LabError::Binary { reason: error.to_string() })?;
        let mut directory = program.parent().unwrap_or(Path::new("."));
        // Test programs lie one level deeper than binaries.
        if directory.ends_with("deps") || directory.ends_with("examples") {
            directory = directory.parent().unwrap_or(directory);
        }
        Ok(Self { profile_directory: directory.to_owned() })
    }

    fn profile(&self) -> &str {
        match self.profile_directory.file_name().and_then(|name| name.to_str()) {
            Some("release") => "release",
            _ => "dev",
        }
    }

    fn target_directory(&self) -> &Path {
        self.profile_directory.parent().unwrap_or(Path::new("target"))
    }
}

fn build(place: &Place) -> Result<(), LabError> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", "peerward", "--bin", "peerward", "--profile", place.profile()])
        .arg("--target-dir")
        .arg(place.target_directory())
        .current_dir(&workspace)
        // What people read, or machines parse, is on standard output.
        .stdout(Stdio::null());
    let status =
        command.status().map_err(|error| LabError::Binary { reason: format!("cargo does not start: {error}") })?;
    if status.success() {
        Ok(())
    } else {
        Err(LabError::Binary { reason: format!("cargo build in {} failed: {status}", workspace.display()) })
    }
}
