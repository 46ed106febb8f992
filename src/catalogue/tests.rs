//! The catalogue against Microsoft's real documents, and against bad ones.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use super::*;
use crate::{
    config::{Microsoft365, ServiceTags, StaticList},
    domain::{Category, Family},
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn endpoints() -> PathBuf {
    data("microsoft365-endpoints-worldwide-2024-05-07.json")
}

fn tags_file() -> PathBuf {
    data("service-tags-trimmed.json")
}

/// Microsoft 365 from a source, Optimize and Allow.
fn microsoft365(source: Microsoft365Source) -> Destinations {
    Destinations {
        microsoft365: Microsoft365 {
            source,
            services: vec![],
            categories: vec![Category::Optimize, Category::Allow],
        },
        service_tags: None,
        static_lists: vec![],
    }
}

fn with_tags(tags: &[&str]) -> Destinations {
    Destinations {
        service_tags: Some(ServiceTags {
            file: tags_file(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        }),
        ..microsoft365(Microsoft365Source::Bundled)
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn class_of(catalogue: &Catalogue, query: &str) -> Option<String> {
    catalogue.lookup(net(query))?.class.map(ToString::to_string)
}

#[test]
fn the_bundled_snapshot_says_what_the_whole_document_says() {
    let bundled = Catalogue::load(&microsoft365(Microsoft365Source::Bundled)).unwrap();
    let whole = Catalogue::load(&microsoft365(Microsoft365Source::File(endpoints()))).unwrap();
    assert_eq!(bundled.destinations, whole.destinations);
    assert_eq!(bundled.classes, whole.classes);
    assert_eq!(bundled.sources()[0].prefixes, 95);
}

#[test]
fn microsoft_365_has_a_class_a_service_and_family() {
    let catalogue = Catalogue::load(&microsoft365(Microsoft365Source::Bundled)).unwrap();
    let ids: Vec<&str> = catalogue.classes().iter().map(|class| class.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "m365.common.ipv4",
            "m365.common.ipv6",
            "m365.exchange.ipv4",
            "m365.exchange.ipv6",
            "m365.sharepoint.ipv4",
            "m365.sharepoint.ipv6",
            "m365.skype.ipv4",
            "m365.skype.ipv6",
        ]
    );
}

#[test]
fn an_address_is_found_by_its_longest_match() {
    let catalogue = Catalogue::load(&microsoft365(Microsoft365Source::Bundled)).unwrap();
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!(found.destination.prefix, net("13.107.6.152/31"));
    assert_eq!(&*found.destination.service, "exchange");
    assert_eq!(found.destination.category, Some(Category::Optimize));
    assert_eq!(class_of(&catalogue, "2620:1ec:4::152/128").as_deref(), Some("m365.exchange.ipv6"));
    assert_eq!(class_of(&catalogue, "198.51.100.10/32"), None);
    assert!(catalogue.lookup(net("13.107.6.0/24")).is_none(), "only what contains all of a prefix answers for it");
}

#[test]
fn what_is_not_chosen_is_known_but_not_steered() {
    let mut config = microsoft365(Microsoft365Source::Bundled);
    config.microsoft365.services = vec!["skype".to_owned()];
    let catalogue = Catalogue::load(&config).unwrap();
    assert_eq!(catalogue.classes().len(), 2);
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!((&*found.destination.service, found.class), ("exchange", None));
}

#[test]
fn chosen_service_tags_become_classes_with_their_region() {
    let catalogue = Catalogue::load(&with_tags(&["azurecloud.JapanEast"])).unwrap();
    let class =
        catalogue.classes().iter().find(|class| class.id.as_str() == "azure.azurecloud.japaneast.ipv4").unwrap();
    assert_eq!(
        (class.family, class.service.as_str(), class.region.as_deref()),
        (Family::Ipv4, "azurecloud", Some("japaneast"))
    );
    let ipv6 =
        catalogue.classes().iter().find(|class| class.id.as_str() == "azure.azurecloud.japaneast.ipv6").unwrap();
    assert_eq!(class.prefixes.len() + ipv6.prefixes.len(), 227);
    let inside = class.prefixes[0];
    assert_eq!(catalogue.lookup(inside).unwrap().class, Some(&class.id));
}

#[test]
fn a_prefix_of_several_sources_keeps_them_all_and_the_most_trusted_decides() {
    let mut config = with_tags(&["Dynamics365BusinessCentral"]);
    config.static_lists = vec![StaticList { name: "lab".to_owned(), prefixes: vec![net("13.107.6.152/31")] }];
    let catalogue = Catalogue::load(&config).unwrap();
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!(&*found.destination.service, "lab");
    assert_eq!(found.destination.sources[..2], [Source::Static, Source::Microsoft365]);
    assert_eq!(found.class.map(ClassId::as_str), Some("static.lab.ipv4"));
}

#[test]
fn an_unsteered_prefix_inside_a_steered_one_is_decided_by_the_steered_one() {
    let mut config = with_tags(&["AzureCloud.japaneast"]);
    config.microsoft365.source = Microsoft365Source::Off;
    let catalogue = Catalogue::load(&config).unwrap();
    let nested = catalogue
        .destinations
        .iter()
        .filter(|destination| &*destination.service == "actiongroup")
        .find(|destination| catalogue.lookup(destination.prefix).is_some_and(|found| found.class.is_some()));
    assert!(nested.is_some(), "the fixture has an ActionGroup prefix in Japan East");
}

#[test]
fn targets_are_front_doors_first_and_never_none() {
    let catalogue = Catalogue::load(&with_tags(&["AzureCloud.japaneast"])).unwrap();
    for class in catalogue.classes() {
        let targets = catalogue.targets(&class.id);
        assert!((1..=4).contains(&targets.len()), "{class:?}");
        for target in targets {
            assert_eq!(Family::of(*target), class.family);
            assert!(class.prefixes.iter().any(|prefix| prefix.contains(target)), "{target}");
        }
    }
    let exchange = catalogue.targets(&ClassId::new("m365.exchange.ipv4"));
    assert!(exchange.contains(&"13.107.6.152".parse().unwrap()), "{exchange:?}");
}

#[test]
fn a_gzipped_file_reads_the_same() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tags.json.gz");
    let mut zip = GzEncoder::new(fs::File::create(&file).unwrap(), Compression::fast());
    zip.write_all(&fs::read(tags_file()).unwrap()).unwrap();
    zip.finish().unwrap();
    let mut config = with_tags(&["AzureCloud.japaneast"]);
    let plain = Catalogue::load(&config).unwrap();
    config.service_tags.as_mut().unwrap().file = file;
    assert_eq!(Catalogue::load(&config).unwrap().classes, plain.classes);
}

/// What is said about a document in the place of Microsoft 365's.
fn refused(document: &str) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("endpoints.json");
    fs::write(&file, document).unwrap();
    let error = Catalogue::load(&microsoft365(Microsoft365Source::File(file.clone()))).expect_err("accepted");
    error.to_string().replace(&file.display().to_string(), "FILE")
}

fn with_prefix(prefix: &str) -> String {
    format!("[{{\"id\":7,\"serviceArea\":\"Exchange\",\"ips\":[\"{prefix}\"],\"category\":\"Optimize\"}}]")
}

#[test]
fn bad_documents_are_refused_with_the_reason() {
    let whole = fs::read_to_string(endpoints()).unwrap();
    let cases = [
        (String::new(), "FILE: is empty; download it again, whole"),
        (whole[..whole.len() / 2].to_owned(), "FILE: ends too early, at line "),
        ("[]".to_owned(), "FILE: lists no prefix; download it again from Microsoft"),
        ("{\"values\":[]}".to_owned(), "FILE: is not an answer of the Microsoft 365 endpoints web service: "),
        ("<html></html>".to_owned(), "FILE: is not an answer of the Microsoft 365 endpoints web service: "),
        (with_prefix("0.0.0.0/0"), "FILE: endpoint set 7: 0.0.0.0/0 is a default route; do not use this file"),
        (with_prefix("::/0"), "FILE: endpoint set 7: ::/0 is a default route; do not use this file"),
        (with_prefix("10.1.0.0/16"), "FILE: endpoint set 7: 10.1.0.0/16 is private space; do not use this file"),
        (with_prefix("fe80::/64"), "FILE: endpoint set 7: fe80::/64 is link-local; do not use this file"),
        (with_prefix("8.0.0.0/5"), "FILE: endpoint set 7: 8.0.0.0/5 is private space; do not use this file"),
        (with_prefix("2000::/3"), "FILE: endpoint set 7: 2000::/3 is larger than any network of Microsoft's; "),
        (with_prefix("13.107.6.153/31"), "FILE: endpoint set 7: 13.107.6.153/31 has bits beyond its length; "),
        (with_prefix("13.107.6"), "FILE: endpoint set 7: \"13.107.6\" is not a prefix; "),
    ];
    for (document, expected) in cases {
        let said = refused(&document);
        assert!(said.starts_with(expected), "expected {expected}\nsaid {said}");
    }
}

#[test]
fn a_name_that_the_document_does_not_know_is_refused_with_a_suggestion() {
    let mut config = microsoft365(Microsoft365Source::Bundled);
    config.microsoft365.services = vec!["exchnge".to_owned()];
    let said = Catalogue::load(&config).unwrap_err().to_string();
    assert!(said.ends_with("did you mean \"Exchange\"?"), "{said}");
    let said = Catalogue::load(&with_tags(&["AzureCloud.japaneas"])).unwrap_err().to_string();
    assert!(said.ends_with("did you mean \"AzureCloud.japaneast\"?"), "{said}");
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let config = microsoft365(Microsoft365Source::File("/nonexistent/m365.json".into()));
    let said = Catalogue::load(&config).unwrap_err().to_string();
    assert!(said.starts_with("/nonexistent/m365.json: cannot be read: "), "{said}");
}
