//! The rules of policy as `peerward check` shows them: what each is for, what it has at this site, and in which order.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::Findings;

use crate::{
    catalogue::{Catalogue, Tie},
    cli::{
        figures::{count, milliseconds, percent},
        output::{Colour, Facts, Style, visible},
    },
    config::{Config, Margin, Match, RegionMatch, Rule, Strategy},
    domain::{ClassId, RuleId},
    select::Policies,
};

/// A rule at this site.
#[derive(Debug, Serialize)]
pub(super) struct ResolvedRule {
    name: String,
    line: usize,
    /// What it is for, in words.
    matches: String,
    /// Whether it is for this site.
    applies: bool,
    strategy: String,
    classes: Vec<ClassId>,
    prefixes: usize,
    uplinks: Vec<Rank>,
}

/// An uplink in the order of a rule.
#[derive(Debug, Serialize)]
struct Rank {
    name: String,
    isp: String,
    standing: String,
}

/// Every rule, in file order.
pub(super) fn resolve(config: &Config, catalogue: &Catalogue, policies: &Policies) -> Vec<ResolvedRule> {
    let rules = (0..).map(RuleId).zip(&config.policy.rules);
    rules.map(|(id, rule)| resolved(config, catalogue, policies, id, rule)).collect()
}

fn resolved(config: &Config, catalogue: &Catalogue, policies: &Policies, id: RuleId, rule: &Rule) -> ResolvedRule {
    let classes: Vec<_> = catalogue.classes().iter().filter(|class| class.rule == Some(id)).collect();
    let markets = &rule.matches.markets;
    let uplinks = policies.of(Some(id)).order().iter().map(|&(uplink, standing)| Rank {
        name: config.uplink(uplink).name.clone(),
        isp: config.isp_name_of(uplink).to_owned(),
        standing: standing.to_string(),
    });
    ResolvedRule {
        name: rule.name.clone(),
        line: rule.place.line,
        matches: in_words(&rule.matches),
        applies: markets.is_empty() || markets.iter().any(|it| config.registry.contains(it, &config.site.market)),
        strategy: strategy(&rule.treatment.strategy, config),
        prefixes: classes.iter().map(|class| class.prefixes.len()).sum(),
        classes: classes.iter().map(|class| class.id.clone()).collect(),
        uplinks: uplinks.collect(),
    }
}

/// What a rule is for.
fn in_words(matches: &Match) -> String {
    let regions = matches.regions.iter().map(|region| match region {
        RegionMatch::Region(name) => name.clone(),
        RegionMatch::Market(market) => format!("in {market}"),
    });
    let destinations: Vec<String> = [
        either("service", matches.services.iter().cloned()),
        either("category", matches.categories.iter().map(ToString::to_string)),
        either("Azure region", regions),
        either("tag", matches.tags.iter().cloned()),
        either("prefix", matches.prefixes.iter().map(ToString::to_string)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let what = if destinations.is_empty() { "everything".to_owned() } else { destinations.join(", and ") };
    match either("at sites in", matches.markets.iter().cloned()) {
        Some(sites) => format!("{what}, {sites}"),
        None => what,
    }
}

/// Values of which one is enough.
fn either(what: &str, values: impl Iterator<Item = String>) -> Option<String> {
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then(|| format!("{what} {}", values.join(" or ")))
}

fn strategy(strategy: &Strategy, config: &Config) -> String {
    match strategy {
        Strategy::Ordered => "ordered".to_owned(),
        Strategy::Fastest(Margin { difference, share }) => {
            let difference = milliseconds(Some(difference.as_secs_f64() * 1e3));
            format!("fastest, by {difference} and {} at least", percent(Some(*share)))
        }
        Strategy::Balanced(weights) if weights.is_empty() => "balanced".to_owned(),
        Strategy::Balanced(weights) => {
            let weights: Vec<String> =
                weights.iter().map(|(isp, weight)| format!("{} {weight}", config.isp(*isp).name)).collect();
            format!("balanced, by weight: {}", weights.join(", "))
        }
    }
}

/// The rules as people read them, one block each; nothing when there are none.
pub(super) fn render(rules: &[ResolvedRule], market: &str, style: Style) -> String {
    rules.iter().map(|rule| block(rule, market, style)).collect::<Vec<_>>().join("\n")
}

fn block(rule: &ResolvedRule, market: &str, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("rule", format!("{} (line {})", rule.name, rule.line));
    facts.add("for", visible(&rule.matches));
    if !rule.applies {
        facts.add("here", visible(&format!("not used: the site is in {market}")));
        return facts.render();
    }
    facts.add("here", here(rule, style));
    facts.add("strategy", visible(&rule.strategy));
    let ranks = (1..).zip(&rule.uplinks).map(|(rank, it)| format!("{rank}. {} ({})", it.name, it.standing));
    facts.add("uplinks", visible(&ranks.collect::<Vec<_>>().join(", ")));
    facts.render()
}

fn here(rule: &ResolvedRule, style: Style) -> String {
    if rule.classes.is_empty() {
        let nothing = "nothing that is steered, or more specific rules have all of it";
        return style.paint(Some(Colour::Yellow), nothing);
    }
    let classes = count(rule.classes.len(), "class", "classes");
    format!("{classes}, {}", count(rule.prefixes, "prefix", "prefixes"))
}

/// What is said of rules that are equally specific for something that is steered.
pub(super) fn ties(file: &Path, config: &Config, ties: &[Tie]) -> Findings {
    let rule = |id: RuleId| config.policy.rules.get(usize::from(id.0));
    let told = ties.iter().filter_map(|tie| {
        let (first, other) = (rule(tie.applied)?, rule(tie.other)?);
        let (line, key) = (other.place.line, format!("policy.rule[{}]", tie.other.0));
        let problem = format!(
            "rules \"{}\" (line {}) and \"{}\" (line {line}) are equally specific for {}, which is steered",
            first.name, first.place.line, other.name, tie.example
        );
        let fix = "name something in one of them that the other does not name";
        let text = format!("{}:{line}: {key}: {problem}; {fix}", file.display());
        Some((text, json!({ "file": file, "line": line, "key": key, "problem": problem, "fix": fix })))
    });
    let (text, data): (Vec<_>, Vec<_>) = told.unzip();
    Findings { text: text.join("\n"), data }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    /// The fleet's example with a part of the service tags, at a site in some market.
    fn fleet(market: &str) -> String {
        let text = include_str!("../../../config/examples/fleet.toml");
        let text = text.replace("market = \"Japan\"", &format!("market = \"{market}\""));
        let text = text.replace("ServiceTags_Public.json", "tests/data/service-tags-trimmed.json");
        let text = text.replace("AzureCloud.southeastasia", "AzureCloud.japanwest");
        let text = text.replace("\"AzureCloud.westeurope\", \"AzureCloud.eastus2\", ", "");
        let text = text.replace("Storage.japaneast", "PowerPlatformInfra.JapanEast");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet.toml");
        let config = config::parse(&text, &file).unwrap_or_else(|error| panic!("{error}"));
        let catalogue = Catalogue::of(&config).unwrap();
        assert!(catalogue.ties().is_empty(), "{:?}", catalogue.ties());
        let rules = resolve(&config, &catalogue, &Policies::resolve(&config));
        render(&rules, &config.site.market, Style::default())
    }

    #[test]
    fn each_rule_says_what_it_comes_to_at_this_site() {
        crate::cli::golden::assert_golden("check-rules-japan.txt", &fleet("Japan"));
        crate::cli::golden::assert_golden("check-rules-belgium.txt", &fleet("Belgium"));
        crate::cli::golden::assert_golden("check-rules-canada.txt", &fleet("Canada"));
    }
    #[test]
    fn a_tie_that_only_the_lists_show_is_refused_with_both_names_and_lines() {
        let folder = tempfile::TempDir::new().unwrap();
        let tag = |name: &str| {
            json!({ "name": name, "id": name, "properties": {
                "region": "", "systemService": name, "platform": "Azure", "addressPrefixes": ["20.36.0.0/24"] } })
        };
        let tags = json!({ "changeNumber": 1, "cloud": "Public", "values": [tag("One"), tag("Two")] });
        std::fs::write(folder.path().join("tags.json"), tags.to_string()).unwrap();
        let file = folder.path().join("peerward.toml");
        let base = include_str!("../../config/tests/base.toml");
        let rules = "[[policy.rule]]\nname = \"a\"\ntag = \"One\"\n[[policy.rule]]\nname = \"b\"\ntag = \"Two\"\n";
        let destinations = "[destinations.service_tags]\nfile = \"tags.json\"\ntags = [\"One\", \"Two\"]\n";
        std::fs::write(&file, format!("{base}{rules}{destinations}")).unwrap();
        let Err(findings) = super::super::load(&file) else { panic!("it was accepted") };
        let expected = format!(
            "{}:23: policy.rule[1]: rules \"a\" (line 20) and \"b\" (line 23) are equally specific for 20.36.0.0/24",
            file.display()
        );
        assert!(findings.text.starts_with(&expected), "{}", findings.text);
        assert_eq!(findings.data[0]["line"], 23);
    }
}
