//! What systemd-networkd will do to routes and rules that are not its own (networkd.conf(5)).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::names::{drop_ins, text};

/// Where its configuration may be, first found first.
const FOLDERS: [&str; 4] = ["etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"];

/// One switch: its value, and the file that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Whether it is on.
    pub on: bool,
    /// The file; `None`: nobody set it, it is on by default.
    pub file: Option<String>,
}

impl Default for Switch {
    fn default() -> Self {
        Self { on: true, file: None }
    }
}

/// The switches that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networkd {
    /// `ManageForeignRoutes=` (systemd 246).
    pub routes: Switch,
    /// `ManageForeignRoutingPolicyRules=` (systemd 249).
    pub rules: Switch,
    /// `ManageForeignNextHops=` (systemd 256).
    pub next_hops: Switch,
}

impl Networkd {
    /// Reads the effective configuration under a root folder (`/` on a router).
    pub fn read(root: &Path) -> Self {
        let mut all = Self::default();
        for file in files(root) {
            if let Some(text) = text(&root.join(&file)) {
                all.take(&text, &format!("/{}", file.display()));
            }
        }
        all
    }

    /// A later file overrides an earlier one; a value that is no boolean is ignored, as networkd does.
    fn take(&mut self, text: &str, file: &str) {
        let mut in_network = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                in_network = section == "Network";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| in_network) else { continue };
            let switch = match key.trim() {
                "ManageForeignRoutes" => &mut self.routes,
                "ManageForeignRoutingPolicyRules" => &mut self.rules,
                "ManageForeignNextHops" => &mut self.next_hops,
                _ => continue,
            };
            if let Some(on) = boolean(value.trim()) {
                *switch = Switch { on, file: Some(file.to_owned()) };
            }
        }
    }
}

/// The main file (the first that exists), then the drop-ins by name, of which a folder further up hides its namesakes.
fn files(root: &Path) -> Vec<PathBuf> {
    let main = FOLDERS.map(|folder| Path::new(folder).join("networkd.conf"));
    let main = main.into_iter().find(|file| root.join(file).exists());
    let mut named = BTreeMap::new();
    for folder in FOLDERS {
        for file in drop_ins(root, &Path::new(folder).join("networkd.conf.d")) {
            if let Some(name) = file.file_name() {
                named.entry(name.to_owned()).or_insert(file);
            }
        }
    }
    main.into_iter().chain(named.into_values()).collect()
}

/// As systemd.syntax(7) has it.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}
