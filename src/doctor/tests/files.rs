use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

use super::{assert_says, bad, only, sound};
use crate::doctor::{Grade, Names, Networkd, Topic};

fn write(root: &TempDir, file: &str, text: &str) {
    let path = root.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const OFF: &str = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules = off\n";

#[test]
fn names_are_read_from_every_file_of_iproute2() {
    let root = TempDir::new().unwrap();
    write(&root, "etc/iproute2/rt_tables", "# ids\n254\tmain\n0x1e14 vpn # seven\nnonsense\n99999999999 big\n7 \n");
    write(&root, "etc/iproute2/rt_tables.d/acme.conf", "300 acme\n");
    write(&root, "etc/iproute2/rt_tables.d/readme.txt", "301 no\n");
    write(&root, "usr/share/iproute2/rt_protos", "186 bgp\n");
    let names = Names::read(root.path());
    let tables: Vec<_> = names.tables.iter().map(|it| (it.number, it.name.as_str(), it.file.as_str())).collect();
    assert_eq!(
        tables,
        [
            (254, "main", "/etc/iproute2/rt_tables"),
            (7700, "vpn", "/etc/iproute2/rt_tables"),
            (300, "acme", "/etc/iproute2/rt_tables.d/acme.conf"),
        ]
    );
    assert_eq!(names.protocols[0].name, "bgp");
    assert_eq!(Names::read(Path::new("/nonexistent")), Names::default());
}

#[test]
fn networkd_by_default_removes_what_is_not_its_own() {
    let mut evidence = sound();
    evidence.networkd = Some(Networkd::read(TempDir::new().unwrap().path()));
    let finding = only(&evidence, Grade::Warning, Topic::Networkd);
    assert_says(&finding, &["ManageForeignRoutes=yes (the default)", "ManageForeignRoutingPolicyRules=yes"]);
    assert_says(&finding, &["/etc/systemd/networkd.conf.d/90-peerward.conf", "ManageForeignRoutes=no"]);
}

#[test]
fn networkd_that_was_told_to_leave_others_alone_is_well() {
    let root = TempDir::new().unwrap();
    write(&root, "etc/systemd/networkd.conf.d/90-peerward.conf", OFF);
    let mut evidence = sound();
    evidence.networkd = Some(Networkd::read(root.path()));
    assert!(bad(&evidence).is_empty(), "{:#?}", bad(&evidence));
}

#[test]
fn drop_ins_override_the_main_file_and_etc_hides_its_namesakes() {
    let root = TempDir::new().unwrap();
    write(&root, "usr/lib/systemd/networkd.conf", "[Network]\nManageForeignRoutingPolicyRules=no\n");
    write(&root, "etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n");
    let networkd = Networkd::read(root.path());
    assert!(!networkd.routes.on);
    assert!(networkd.rules.on, "of main files the first alone is read");

    // Sorted by name, whatever the folder: 90 comes after 10.
    write(&root, "usr/lib/systemd/networkd.conf.d/90-vendor.conf", "[Network]\nManageForeignRoutes=yes\n");
    write(&root, "etc/systemd/networkd.conf.d/10-admin.conf", "[Network]\nManageForeignRoutes=no\n");
    let networkd = Networkd::read(root.path());
    assert!(networkd.routes.on);
    assert_eq!(networkd.routes.file.as_deref(), Some("/usr/lib/systemd/networkd.conf.d/90-vendor.conf"));

    // A link to /dev/null in /etc masks the vendor's file.
    symlink("/dev/null", root.path().join("etc/systemd/networkd.conf.d/90-vendor.conf")).unwrap();
    assert!(!Networkd::read(root.path()).routes.on);
}

#[test]
fn other_sections_comments_and_nonsense_change_nothing() {
    let root = TempDir::new().unwrap();
    let text = "ManageForeignRoutes=no\n[DHCPv4]\nManageForeignRoutes=no\n[Network]\n#ManageForeignRoutes=no\n\
                manageforeignroutes=no\nManageForeignRoutes=perhaps\nManageForeignRoutes=\n";
    write(&root, "etc/systemd/networkd.conf", text);
    assert_eq!(Networkd::read(root.path()), Networkd::default());
}
