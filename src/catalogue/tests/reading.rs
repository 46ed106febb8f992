//! Reading documents: what is accepted, what is refused and how it is said.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::domain::Source;

#[test]
fn the_bundled_snapshot_says_what_the_whole_document_says() {
    let bundled = Catalogue::load(&bundled()).unwrap();
    let whole = Catalogue::load(&microsoft365(Microsoft365Source::File(endpoints()))).unwrap();
    assert!(bundled.destinations().eq(whole.destinations()));
    assert_eq!(bundled.classes(), whole.classes());
}

/// How the bundled snapshot is made, and remade: the sets with prefixes, and of each what matters here.
#[test]
fn the_bundled_snapshot_is_the_whole_document_without_what_is_not_needed() {
    let kept = ["id", "serviceArea", "ips", "category", "required"];
    let mut sets: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(&fs::read(endpoints()).unwrap()).unwrap();
    sets.retain(|set| set.contains_key("ips"));
    for set in &mut sets {
        set.retain(|key, _| kept.contains(&key.as_str()));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/microsoft365-endpoints.json");
    let bundled: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(bundled, serde_json::to_value(&sets).unwrap());
}

#[test]
fn each_source_is_summed_up_in_a_line() {
    let mut config = with_tags(&["AzureCloud.japaneast"]);
    config.static_lists = lists(&[("lab", &["13.107.6.152/31", "198.51.100.0/24"])]).static_lists;
    let catalogue = Catalogue::load(&config).unwrap();
    let lines: Vec<String> = catalogue.sources().iter().map(ToString::to_string).collect();
    let file = tags_file().display().to_string();
    assert_eq!(
        lines,
        [
            "microsoft365: bundled snapshot (2024-05-07), 95 prefixes, 94 steered".to_owned(),
            format!("service-tags: {file} (change 360), 1154 prefixes, 227 steered"),
            "static: lab, 2 prefixes, 2 steered".to_owned(),
        ]
    );
}

#[test]
fn a_gzipped_file_reads_the_same() {
    let written = written("tags.json.gz", gzipped(&fs::read(tags_file()).unwrap()));
    let mut config = tags_alone(&["AzureCloud.japaneast"]);
    let plain = Catalogue::load(&config).unwrap();
    config.service_tags.as_mut().unwrap().file = written.file;
    assert_eq!(Catalogue::load(&config).unwrap().classes(), plain.classes());
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

#[test]
fn a_gzipped_file_that_is_damaged_says_so() {
    let zipped = gzipped(&fs::read(tags_file()).unwrap());
    let mut flipped = zipped.clone();
    flipped[zipped.len() - 8] ^= 1; // the checksum
    let cases = [
        (zipped[..zipped.len() / 2].to_vec(), "FILE: is compressed and ends too early; download it again, whole"),
        (flipped, "FILE: cannot be decompressed: "),
        (b"[]".to_vec(), "FILE: is compressed and ends too early; download it again, whole"),
        (b"{\"changeNumber\": 360, \"values\": []}".to_vec(), "FILE: cannot be decompressed: "),
    ];
    for (bytes, expected) in cases {
        let written = written("tags.json.gz", bytes);
        let mut config = tags_alone(&[]);
        config.service_tags.as_mut().unwrap().file.clone_from(&written.file);
        let said = Catalogue::load(&config).unwrap_err().to_string();
        let said = said.replace(&written.file.display().to_string(), "FILE");
        assert!(said.starts_with(expected), "expected {expected}\nsaid {said}");
    }
}

#[test]
fn a_document_without_end_is_refused_before_it_fills_the_memory() {
    let bomb = gzipped(&vec![b' '; usize::try_from(crate::catalogue::document::MAX_BYTES).unwrap() + 1]);
    assert!(bomb.len() < 1024 * 1024);
    let written = written("endpoints.json.gz", bomb);
    let said = Catalogue::load(&microsoft365(Microsoft365Source::File(written.file.clone()))).unwrap_err();
    assert_eq!(said.problem, "has more than 32 MiB");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let marked = [b"\xEF\xBB\xBF".as_slice(), &fs::read(endpoints()).unwrap()].concat();
    assert_eq!(load_microsoft365(marked).unwrap().sources()[0].prefixes, 95);
}

#[test]
fn keys_may_stand_in_any_order() {
    let document = r#"{
        "values": [{
            "properties": { "addressPrefixes": ["20.1.0.0/16"], "new": [{}], "systemService": "", "region": "japaneast" },
            "name": "AzureCloud.japaneast"
        }],
        "changeNumber": 1
    }"#;
    let catalogue = load_tags(document, &["AzureCloud.japaneast"]).unwrap();
    assert_eq!(catalogue.classes()[0].region.as_deref(), Some("japaneast"));
    assert_eq!(catalogue.sources()[0].version.as_deref(), Some("change 1"));
}

fn with_prefix(prefix: &str) -> String {
    format!("[{{\"id\":7,\"serviceArea\":\"Exchange\",\"ips\":[\"{prefix}\"],\"category\":\"Optimize\"}}]")
}

#[test]
fn bad_documents_are_refused_with_the_reason() {
    let whole = fs::read_to_string(endpoints()).unwrap();
    let cut_after_a_refusal = with_prefix("10.0.0.0/8").trim_end_matches(']').to_owned();
    let cases = [
        (String::new(), "FILE: is empty; download it again, whole"),
        (whole[..whole.len() / 2].to_owned(), "FILE: ends too early, at line "),
        (cut_after_a_refusal, "FILE: ends too early, at line 1"),
        (format!("{whole}{whole}"), "FILE: is not an answer of the Microsoft 365 endpoints web service: trailing "),
        ("[]".to_owned(), "FILE: lists no prefix; download it again from Microsoft"),
        ("{\"values\":[]}".to_owned(), "FILE: is not an answer of the Microsoft 365 endpoints web service: "),
        ("<html></html>".to_owned(), "FILE: is not an answer of the Microsoft 365 endpoints web service: "),
        (
            "[{\"id\":7}]".to_owned(),
            "FILE: is not an answer of the Microsoft 365 endpoints web service: missing field ",
        ),
        (with_prefix("13.107.6.153/31"), "FILE: endpoint set 7: 13.107.6.153/31 has bits beyond its length; "),
        (with_prefix("13.107.6"), "FILE: endpoint set 7: \"13.107.6\" is not a prefix; "),
        (with_prefix("13.107.6.0/33"), "FILE: endpoint set 7: \"13.107.6.0/33\" is not a prefix; "),
        (with_prefix("\\u001b[2J"), "FILE: endpoint set 7: \"\\u{1b}[2J\" is not a prefix; "),
        (
            with_prefix("13.0.0.0/16").replace("Exchange", "Ex\\nchange"),
            "FILE: endpoint set 7: \"Ex\\nchange\" is not a name; ",
        ),
    ];
    for (document, expected) in cases {
        let said = load_microsoft365(document).expect_err("accepted");
        assert!(said.starts_with(expected), "expected {expected}\nsaid {said}");
    }
}

#[test]
fn space_that_is_not_microsofts_to_have_is_refused() {
    let cases = [
        ("0.0.0.0/0", "a default route"),
        ("::/0", "a default route"),
        ("0.1.0.0/16", "\"this network\""),
        ("10.1.0.0/16", "private space"),
        ("172.16.0.0/12", "private space"),
        ("192.168.1.0/24", "private space"),
        ("100.64.0.0/10", "shared space of carriers"),
        ("127.0.0.1/32", "loopback"),
        ("169.254.169.254/32", "link-local"),
        ("224.0.0.0/4", "multicast or reserved"),
        ("8.0.0.0/5", "private space"),
        ("::1/128", "reserved"),
        ("fc00::/7", "private space (ULA)"),
        ("fe80::/64", "link-local"),
        ("ff02::/16", "multicast"),
        ("2000::/3", "larger than any network of Microsoft's"),
        ("52.0.0.0/7", "larger than any network of Microsoft's"),
    ];
    for (prefix, reason) in cases {
        let expected = format!("{prefix} is {reason}; do not use this file; get it again from Microsoft");
        let said = load_microsoft365(with_prefix(prefix)).expect_err(prefix);
        assert_eq!(said, format!("FILE: endpoint set 7: {expected}"));
        let said =
            load_tags(tag_document(&[tag("Sql", "", "AzureSQL", &["20.0.0.0/16", prefix])]), &[]).expect_err(prefix);
        assert_eq!(said, format!("FILE: service tag Sql: {expected}"));
    }
}

#[test]
fn bad_service_tag_documents_are_refused_with_the_reason() {
    let whole = fs::read_to_string(tags_file()).unwrap();
    let good = tag("Sql", "", "AzureSQL", &["20.0.0.0/16"]);
    let cases = [
        (whole[..whole.len() / 2].to_owned(), "FILE: ends too early, at line "),
        ("{}".to_owned(), "FILE: is not a \"Service Tags - Public\" file: missing field `values` at line 1"),
        ("[]".to_owned(), "FILE: is not a \"Service Tags - Public\" file: invalid type: sequence, expected "),
        (fs::read_to_string(endpoints()).unwrap(), "FILE: is not a \"Service Tags - Public\" file: "),
        (tag_document(&[]), "FILE: lists no prefix; download it again from Microsoft"),
        (
            tag_document(&[good]).replace("Public", "AzureChinaCloud"),
            "FILE: lists the cloud \"AzureChinaCloud\", which Peering Service does not lead to; ",
        ),
        (
            "{\"values\":[],\"values\":[]}".to_owned(),
            "FILE: is not a \"Service Tags - Public\" file: duplicate field",
        ),
    ];
    for (document, expected) in cases {
        let said = load_tags(document, &[]).expect_err("accepted");
        assert!(said.starts_with(expected), "expected {expected}\nsaid {said}");
    }
}

#[test]
fn more_than_microsoft_ever_listed_is_refused() {
    let many: Vec<String> =
        (0..250_001_u32).map(|host| format!("\"{}/32\"", std::net::Ipv4Addr::from((20 << 24) | host))).collect();
    let document =
        format!("[{{\"id\":7,\"serviceArea\":\"Exchange\",\"category\":\"Allow\",\"ips\":[{}]}}]", many.join(","));
    let said = load_microsoft365(document).expect_err("accepted");
    assert!(said.starts_with("FILE: endpoint set 7: lists too many prefixes; "), "{said}");

    let sets = vec!["{\"id\":7,\"serviceArea\":\"Exchange\",\"category\":\"Allow\"}"; 50_001];
    let said = load_microsoft365(format!("[{}]", sets.join(","))).expect_err("accepted");
    assert!(said.starts_with("FILE: lists far more than Microsoft ever did; "), "{said}");
}

#[test]
fn a_name_that_the_document_does_not_know_is_refused_with_a_suggestion() {
    let mut config = bundled();
    let mut said_of = |service: &str| {
        config.microsoft365.services = vec![service.to_owned()];
        Catalogue::load(&config).unwrap_err().to_string()
    };
    assert!(said_of("exchnge").ends_with("did you mean \"Exchange\"?"));
    assert!(said_of("azure").ends_with("use one of \"Common\", \"Exchange\", \"SharePoint\", \"Skype\""));
    let said = Catalogue::load(&with_tags(&["AzureCloud.japaneas"])).unwrap_err().to_string();
    assert!(said.ends_with("did you mean \"AzureCloud.japaneast\"?"), "{said}");
    let said = Catalogue::load(&with_tags(&["Xbox"])).unwrap_err().to_string();
    assert!(said.ends_with("use a name that is in the file, or remove it"), "{said}");
}

#[test]
fn a_chosen_tag_without_prefixes_is_refused() {
    let document = tag_document(&[tag("Sql", "", "AzureSQL", &["20.0.0.0/16"]), tag("Empty", "", "Empty", &[])]);
    assert!(load_tags(&document, &["sql"]).is_ok());
    let said = load_tags(&document, &["empty"]).expect_err("accepted");
    assert!(
        said.starts_with("FILE: service tag Empty, which destinations.service_tags.tags names, lists no prefix;")
    );
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let config = microsoft365(Microsoft365Source::File("/nonexistent/m365.json".into()));
    let error = Catalogue::load(&config).unwrap_err();
    assert!(error.to_string().starts_with("/nonexistent/m365.json: cannot be read: "), "{error}");
    let folder = TempDir::new().unwrap();
    let config = microsoft365(Microsoft365Source::File(folder.path().to_owned()));
    assert!(Catalogue::load(&config).unwrap_err().problem.starts_with("cannot be read: "));
}

#[test]
fn sources_are_listed_in_the_order_of_trust() {
    let mut config = with_tags(&["Dynamics365BusinessCentral"]);
    config.static_lists = lists(&[("lab", &["13.107.6.152/31"])]).static_lists;
    let catalogue = Catalogue::load(&config).unwrap();
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap().destination;
    assert_eq!(found.sources, [Source::Static, Source::Microsoft365]);
}
