//! Reads a configuration with its catalogue, to try it.

use std::{path::Path, sync::Arc};

use super::failure::{Code, Failure};
use crate::{agent::Candidate, catalogue::Catalogue, config};

/// The configuration of a file.
pub(super) fn load(file: &Path) -> Result<Candidate, Failure> {
    let config = config::load(file).map_err(|error| Failure::new(Code::Config, error))?;
    let catalogue = Catalogue::of(&config).map_err(|error| Failure::new(Code::Config, error))?;
    Ok(Candidate { name: file.display().to_string(), config, catalogue: Arc::new(catalogue) })
}
