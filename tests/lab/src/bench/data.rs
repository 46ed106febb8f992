//! Real routes and real service tags, from `benches/data`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use ipnet::IpNet;
use serde::Deserialize;

use crate::LabError;

const SERVICE_TAGS: &str = "service-tags-public-2025-09-01.json.gz";
/// No network of the global table is announced beyond this length; the pieces of a split prefix are not longer.
const LONGEST_IPV4: u8 = 24;
const LONGEST_IPV6: u8 = 48;

/// Where the data is: beside the sources that this program was built from.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/data")
}

/// About `count` distinct prefixes in the shape of the global table: three quarters IPv4.
///
/// The data has adjacent prefixes of one network merged; here they are split again, in halves and where they lie,
/// until there are enough. For a count below the data's own, every n-th prefix is taken.
pub(super) fn global_table(count: usize) -> Result<Vec<IpNet>, LabError> {
    let ipv6 = prefixes("bgp-ipv6.txt.gz")?;
    let share = ipv6.len().min(count / 4);
    let mut table = sized(prefixes("bgp-ipv4.txt.gz")?, count - share, LONGEST_IPV4);
    table.extend(sized(ipv6, share, LONGEST_IPV6));
    Ok(table)
}

/// `count` distinct IPv4 prefixes in the shape of the global table.
pub(super) fn ipv4_table(count: usize) -> Result<Vec<IpNet>, LabError> {
    Ok(sized(prefixes("bgp-ipv4.txt.gz")?, count, LONGEST_IPV4))
}

fn sized(mut prefixes: Vec<IpNet>, count: usize, longest: u8) -> Vec<IpNet> {
    if prefixes.len() > count {
        let step = prefixes.len() as f64 / count.max(1) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of the list")]
        return (0..count).filter_map(|n| prefixes.get((n as f64 * step) as usize).copied()).collect();
    }
    while prefixes.len() < count {
        let missing = count - prefixes.len();
        let before = prefixes.len();
        prefixes = split(prefixes, missing, longest);
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len() == before {
            break;
        }
    }
    prefixes
}

/// Splits the first `missing` prefixes that may be split.
fn split(prefixes: Vec<IpNet>, mut missing: usize, longest: u8) -> Vec<IpNet> {
    let mut pieces = Vec::with_capacity(prefixes.len() + missing);
    for prefix in prefixes {
        match prefix.subnets(prefix.prefix_len() + 1) {
            Ok(halves) if missing > 0 && prefix.prefix_len() < longest => {
                pieces.extend(halves);
                missing -= 1;
            }
            _ => pieces.push(prefix),
        }
    }
    pieces
}

fn prefixes(file: &str) -> Result<Vec<IpNet>, LabError> {
    let path = directory().join(file);
    let read = || -> io::Result<Vec<IpNet>> {
        let lines = BufReader::new(GzDecoder::new(File::open(&path)?)).lines();
        lines.map(|line| line?.parse().map_err(io::Error::other)).collect()
    };
    read().map_err(|source| LabError::system(format!("read {}", path.display()), source))
}

/// The service tags file.
pub(super) fn service_tags() -> PathBuf {
    directory().join(SERVICE_TAGS)
}

/// Names of all service tags, as the file has them.
pub(super) fn tag_names() -> Result<Vec<String>, LabError> {
    #[derive(Deserialize)]
    struct Tags {
        values: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        name: String,
    }
    let path = service_tags();
    let read = || -> io::Result<Tags> {
        let document = BufReader::new(GzDecoder::new(File::open(&path)?));
        serde_json::from_reader(document).map_err(io::Error::other)
    };
    let tags = read().map_err(|source| LabError::system(format!("read {}", path.display()), source))?;
    Ok(tags.values.into_iter().map(|tag| tag.name).collect())
}
