//! Several statements about one prefix: whose attributes count, and whose class.

use super::*;
use crate::domain::{ClassId, Family, Source};

#[test]
fn microsoft_365_has_a_class_a_service_and_family() {
    let catalogue = Catalogue::load(&bundled()).unwrap();
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
fn prefixes_of_a_class_are_sorted_distinct_and_of_its_family() {
    for class in Catalogue::load(&with_tags(&["AzureCloud.japaneast"])).unwrap().classes() {
        assert!(class.prefixes.is_sorted_by(|one, other| one < other), "{class:?}");
        assert!(class.prefixes.iter().all(|prefix| Family::of_net(*prefix) == class.family), "{class:?}");
    }
}

#[test]
fn what_is_not_chosen_is_known_but_not_steered() {
    let mut config = bundled();
    config.microsoft365.services = vec!["skype".to_owned()];
    let catalogue = Catalogue::load(&config).unwrap();
    assert_eq!(catalogue.classes().len(), 2);
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!((&*found.destination.service, found.class), ("exchange", None));
}

/// Endpoint sets: id, area, category; all list 20.1.0.0/16.
fn sets(sets: &[(u32, &str, &str)]) -> String {
    let sets: Vec<_> = sets
        .iter()
        .map(|(id, area, category)| {
            serde_json::json!({ "id": id, "serviceArea": area, "category": category, "ips": ["20.1.0.0/16"] })
        })
        .collect();
    serde_json::to_string(&sets).unwrap()
}

#[test]
fn of_endpoint_sets_the_most_demanding_category_counts_and_then_the_lowest_id() {
    let cases = [
        (&[(1, "Common", "Allow"), (9, "Skype", "Optimize")], "skype", Category::Optimize),
        (&[(9, "Skype", "Allow"), (1, "Common", "Allow")], "common", Category::Allow),
        (&[(1, "Common", "Default"), (2, "Skype", "Allow")], "skype", Category::Allow),
    ];
    for (listed, service, category) in cases {
        let catalogue = load_microsoft365(sets(listed)).unwrap();
        let found = catalogue.lookup(net("20.1.2.3/32")).unwrap();
        assert_eq!((&*found.destination.service, found.destination.category), (service, Some(category)));
        assert_eq!(found.class.map(ClassId::as_str), Some(format!("m365.{service}.ipv4").as_str()));
    }
}

#[test]
fn a_prefix_is_steered_by_any_chosen_set_though_another_describes_it() {
    let written = written("endpoints.json", sets(&[(1, "Exchange", "Optimize"), (2, "Skype", "Allow")]));
    let mut config = microsoft365(Microsoft365Source::File(written.file.clone()));
    config.microsoft365.services = vec!["skype".to_owned()];
    let catalogue = Catalogue::load(&config).unwrap();
    let found = catalogue.lookup(net("20.1.0.0/16")).unwrap();
    assert_eq!(&*found.destination.service, "exchange");
    assert_eq!(found.class.map(ClassId::as_str), Some("m365.skype.ipv4"));
}

#[test]
fn chosen_service_tags_become_classes_with_their_region() {
    let catalogue = Catalogue::load(&with_tags(&["azurecloud.JapanEast"])).unwrap();
    let class = |family| {
        let id = format!("azure.azurecloud.japaneast.{family}");
        catalogue.classes().iter().find(|class| class.id.as_str() == id).unwrap()
    };
    let ipv4 = class("ipv4");
    assert_eq!(
        (ipv4.family, ipv4.service.as_str(), ipv4.region.as_deref()),
        (Family::Ipv4, "azurecloud", Some("japaneast"))
    );
    assert_eq!(ipv4.prefixes.len() + class("ipv6").prefixes.len(), 227);
    assert_eq!(catalogue.lookup(ipv4.prefixes[0]).unwrap().class, Some(&ipv4.id));
}

/// Tags from the vaguest to the most specific, in an order that gives nothing away; all list 20.1.0.0/16.
pub(super) fn tags_of_one_prefix() -> String {
    let prefixes = ["20.1.0.0/16"];
    tag_document(&[
        tag("AzureCloud.japaneast", "japaneast", "", &prefixes),
        tag("Storage.JapanEast", "japaneast", "AzureStorage", &prefixes),
        tag("AzureCloud", "", "", &prefixes),
        tag("Sql.JapanEast", "japaneast", "AzureSQL", &prefixes),
        tag("Storage", "", "AzureStorage", &prefixes),
    ])
}

#[test]
fn of_service_tags_the_most_specific_describes_a_prefix_whatever_is_steered() {
    for steered in [&[][..], &["AzureCloud"], &["Storage"], &["AzureCloud.japaneast", "Sql.JapanEast"]] {
        let catalogue = load_tags(tags_of_one_prefix(), steered).unwrap();
        let found = catalogue.lookup(net("20.1.2.3/32")).unwrap().destination;
        assert_eq!((&*found.service, found.region.as_deref()), ("azuresql", Some("japaneast")));
        assert_eq!(found.sources, [Source::ServiceTags]);
    }
}

#[test]
fn of_service_tags_the_first_in_the_configuration_steers() {
    let cases = [
        (&["AzureCloud", "Sql.JapanEast"][..], "azure.azurecloud.ipv4"),
        (&["Sql.JapanEast", "AzureCloud"], "azure.sql.japaneast.ipv4"),
        (&["storage"], "azure.storage.ipv4"),
    ];
    for (steered, class) in cases {
        let catalogue = load_tags(tags_of_one_prefix(), steered).unwrap();
        assert_eq!(class_of(&catalogue, "20.1.0.0/16").as_deref(), Some(class));
        assert_eq!(catalogue.classes().len(), 1, "a class that has no prefix is none");
    }
}

#[test]
fn static_lists_come_before_microsoft_365_and_that_before_service_tags() {
    let written =
        written("tags.json", tag_document(&[tag("Exchange", "", "Tag", &["13.107.6.152/31", "40.96.0.0/13"])]));
    let mut config = bundled();
    config.service_tags = Some(service_tags(written.file.clone(), &["Exchange"]));
    config.static_lists = lists(&[("lab", &["13.107.6.152/31"]), ("late", &["13.107.6.152/31"])]).static_lists;
    let catalogue = Catalogue::load(&config).unwrap();

    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!((&*found.destination.service, found.destination.category), ("lab", None));
    assert_eq!(found.destination.sources, [Source::Static, Source::Microsoft365, Source::ServiceTags]);
    assert_eq!(found.class.map(ClassId::as_str), Some("static.lab.ipv4"));

    let found = catalogue.lookup(net("40.96.0.0/16")).unwrap();
    assert_eq!(&*found.destination.service, "exchange");
    assert_eq!(found.destination.sources, [Source::Microsoft365, Source::ServiceTags]);
    assert_eq!(found.class.map(ClassId::as_str), Some("m365.exchange.ipv4"));
}

#[test]
fn nothing_configured_is_nothing_known() {
    let catalogue = Catalogue::load(&microsoft365(Microsoft365Source::Off)).unwrap();
    assert_eq!((catalogue.classes().len(), catalogue.destinations().count()), (0, 0));
    assert!(catalogue.lookup(net("13.107.6.152/32")).is_none());
}
