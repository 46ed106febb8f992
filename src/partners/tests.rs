use super::{
    Contradiction, Listing, Registry,
    tables::{MARKETS, PARTNERS, REGIONS},
};

#[test]
fn every_bundled_row_is_well_formed_and_every_market_is_known() {
    let registry = Registry::bundled();
    assert_eq!(registry.listings.len(), PARTNERS.lines().count() - 1);
    assert_eq!(registry.within.len(), MARKETS.lines().count() - 1);
    for listing in &registry.listings {
        assert!(registry.within.contains_key(listing.market), "{listing:?}");
        assert_eq!(listing.listed.len(), "2023-02-28".len(), "{listing:?}");
    }
    for outer in registry.within.values().flatten() {
        assert!(registry.within.contains_key(outer), "{outer}");
    }
    assert_eq!(registry.regions.len(), REGIONS.lines().count() - 1);
    for (region, market) in &registry.regions {
        assert!(registry.within.contains_key(market), "{region}");
        assert!(!registry.region_aliases.contains_key(region), "{region}");
    }
}

#[test]
fn no_two_markets_share_a_spelling_and_none_contains_itself() {
    let registry = Registry::bundled();
    let aliases = MARKETS.lines().skip(1).filter_map(|line| line.rsplit(',').next());
    let aliases = aliases.flat_map(|aliases| aliases.split('|')).filter(|alias| !alias.is_empty()).count();
    assert_eq!(registry.spellings.len(), registry.within.len() + aliases);
    for market in registry.markets() {
        assert!(registry.outwards(market).take(5).count() < 5, "{market}");
    }
}

#[test]
fn rows_that_are_not_rows_are_left_out() {
    let registry = Registry::read(
        "partner,market,listed\nA\nB,Japan,2023-02-28\n",
        "market\nJapan,Asia,\n,\n,,\n",
        "region\n,\n",
    );
    assert_eq!(registry.partners().collect::<Vec<_>>(), ["B"]);
    assert_eq!(registry.markets().collect::<Vec<_>>(), ["Japan"]);
    assert!(registry.qualification("B", "Japan").is_some());
    assert!(registry.qualification("B", "Mars").is_none());
}

#[test]
fn of_two_markets_the_nearer_one_counts() {
    let registry = Registry::bundled();
    assert_eq!(registry.nearest(["Asia", "japan"], "Japan"), Some("japan"));
    assert_eq!(registry.nearest(["Asia", "Europe"], "Japan"), Some("Asia"));
    assert_eq!(registry.nearest(["Europe"], "Japan"), None);
}

#[test]
fn of_two_lists_of_one_date_the_nearer_market_answers() {
    let partners = "partner,market,listed\nB,Asia,2023-02-28\nB,Japan,2023-02-28\n";
    let registry = Registry::read(partners, "market,within,aliases\nAsia,,\nJapan,Asia,\n", "");
    assert_eq!(registry.qualification("B", "Japan").map(|listing| listing.market), Some("Japan"));
}

#[test]
fn a_partner_of_a_region_serves_its_countries() {
    let listing = Registry::bundled().qualification("singtel", "japan").unwrap();
    assert_eq!(listing, Listing { partner: "Singtel", market: "Asia", listed: "2023-02-28" });
    assert!(Registry::bundled().qualification("Singtel", "France").is_none());
}

#[test]
fn a_partner_of_a_country_does_not_serve_its_region() {
    assert!(Registry::bundled().qualification("IIJ", "Japan").is_some());
    assert!(Registry::bundled().qualification("IIJ", "Asia").is_none());
}

#[test]
fn the_newest_list_answers() {
    let kordia = Registry::bundled().qualification("Kordia", "New Zealand").unwrap();
    assert_eq!((kordia.market, kordia.listed), ("Oceania", "2023-02-28"));
    let ntt = Registry::bundled().qualification("NTT", "Japan").unwrap();
    assert_eq!((ntt.market, ntt.listed), ("Japan", "2019-09-25"));
}

#[test]
fn markets_have_aliases_and_contain_themselves() {
    let registry = Registry::bundled();
    assert_eq!(registry.market("united kingdom"), Some("UK"));
    assert_eq!(registry.market("USA"), Some("United States"));
    assert_eq!(registry.market("turkiye"), Some("Turkey"));
    assert!(registry.contains("Europe", "United Kingdom"));
    assert!(registry.contains("Japan", "Japan"));
    assert!(!registry.contains("Japan", "Asia"));
}

#[test]
fn every_region_of_the_real_service_tags_lies_in_a_market() {
    let packed = &include_bytes!("../../benches/data/service-tags-public-2025-09-01.json.gz")[..];
    let mut tags = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut tags).unwrap();
    let named = tags.split("\"region\":").skip(1).map(|rest| rest.split('"').nth(1).unwrap());
    let regions: std::collections::BTreeSet<&str> = named.filter(|region| !region.is_empty()).collect();
    assert!(regions.len() > 60, "{regions:?}");
    for region in regions {
        assert!(Registry::bundled().market_of_region(region).is_some(), "{region}");
    }
}

#[test]
fn regions_are_known_by_the_names_of_service_tags_and_of_other_tools() {
    let registry = Registry::bundled();
    assert_eq!(registry.region("FranceCentral"), Some("centralfrance"));
    assert_eq!(registry.market_of_region("francecentral"), Some("France"));
    assert_eq!(registry.region("atlantis"), None);
    assert_eq!(registry.regions_in("japan").collect::<Vec<_>>(), ["japaneast", "japanwest"]);
    assert!(registry.regions_in("Oceania").any(|region| region == "newzealandnorth"));
}

#[test]
fn a_market_can_be_put_between_two_others() {
    let mut registry = Registry::bundled().clone();
    registry.add_market("Benelux");
    registry.put_within("Benelux", "europe").unwrap();
    registry.put_within("Belgium", "benelux").unwrap();
    assert_eq!(registry.distance("Europe", "Belgium"), Some(2));
    assert_eq!(registry.agrees_on_market(Registry::bundled(), "Belgium"), Ok(()));
    assert_eq!(registry.qualification("Colt", "Benelux").map(|listing| listing.market), Some("Europe"));
    let additions = registry.additions();
    let within: Vec<_> = additions.iter().map(|it| (it.market, it.within)).collect();
    assert_eq!(within, [("Belgium", Some("Benelux")), ("Benelux", Some("Europe"))]);
}

#[test]
fn a_market_cannot_leave_the_one_that_it_is_in() {
    let mut registry = Registry::bundled().clone();
    registry.put_within("Belgium", "Asia").unwrap();
    let wrong = Contradiction::Elsewhere("Europe".to_owned());
    assert_eq!(registry.agrees_on_market(Registry::bundled(), "Belgium"), Err(wrong));
}

#[test]
fn markets_do_not_go_round_in_circles() {
    let mut registry = Registry::bundled().clone();
    assert_eq!(registry.put_within("Europe", "Belgium"), Err(Contradiction::Loop));
    assert_eq!(registry.put_within("Europe", "Europe"), Err(Contradiction::Loop));
    assert_eq!(registry, *Registry::bundled());
}

#[test]
fn a_region_can_be_added_and_be_put_more_precisely_but_not_be_moved_away() {
    let mut registry = Registry::bundled().clone();
    registry.add_market("Kanto");
    registry.put_within("Kanto", "Japan").unwrap();
    registry.put_region("japaneast", "Kanto");
    registry.put_region("ChathamIslands", "New Zealand");
    assert_eq!(registry.market_of_region("chathamislands"), Some("New Zealand"));
    assert_eq!(registry.agrees_on_region(Registry::bundled(), "japaneast"), Ok(()));
    registry.put_region("japanwest", "Oceania");
    let wrong = Contradiction::Elsewhere("Japan".to_owned());
    assert_eq!(registry.agrees_on_region(Registry::bundled(), "japanwest"), Err(wrong));
}
