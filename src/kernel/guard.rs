//! The last look at a plan before it reaches the kernel. Whatever was miscalculated before, this is never written: a
//! default route, a swath of the internet, anybody's private space, more routes than the router was bought for.
//!
//! Pure. A refusal is of the whole plan: what stands is known to work, and half a plan is not.

use ipnet::IpNet;

use super::ownership::Ownership;
use crate::{
    config::Kernel,
    domain::reserved,
    plan::{Fib, Selector},
};

/// Shortest prefix of a class: Microsoft's longest blocks are of 13 bits (40.96.0.0/13) and 25 (2603:1000::/25).
const SHORTEST: (u8, u8) = (8, 16);

/// What is wrong with a plan, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// A route that is never steered.
    #[error(
        "refused to write the plan: {prefix} in table {table} is {what}, which is never steered; what stood before \
         still does; correct the source of destinations that holds {prefix}"
    )]
    Prefix {
        /// Its prefix.
        prefix: IpNet,
        /// Table that it was meant for.
        table: u32,
        /// Why not.
        what: String,
    },
    /// Too many routes.
    #[error(
        "refused to write the plan: {routes} routes are more than kernel.max_routes = {most} (the first beyond it is \
         {first} in table {table}); what stood before still does; select fewer destinations, or raise the limit"
    )]
    TooMany {
        /// How many there are.
        routes: usize,
        /// How many may be.
        most: usize,
        /// The first one beyond.
        first: IpNet,
        /// Its table.
        table: u32,
    },
    /// A rule that would lead all forwarded traffic to a default route.
    #[error(
        "refused to write the plan: all forwarded traffic would be led to table {table}, which holds a default route for \
         probes; what stood before still does; please report this"
    )]
    Rule {
        /// Where the rule leads.
        table: u32,
    },
}

/// Looks at a plan.
///
/// # Errors
/// With the first thing that may never be written.
pub fn inspect(own: &Kernel, fib: &Fib) -> Result<(), Objection> {
    let marks = Ownership::new(own);
    let most = usize::try_from(own.max_routes).unwrap_or(usize::MAX);
    let for_classes = || fib.routes.keys().filter(|(table, _)| !marks.is_probe_table(*table));
    for &(table, prefix) in for_classes() {
        if let Some(what) = unfit(prefix) {
            return Err(Objection::Prefix { prefix, table, what });
        }
    }
    if let Some(&(table, first)) = for_classes().nth(most) {
        return Err(Objection::TooMany { routes: for_classes().count(), most, first, table });
    }
    let astray = |table: u32| marks.is_probe_table(table) || !marks.owns_table(table);
    match fib.rules.iter().find(|rule| rule.selector == Selector::Forwarded && astray(rule.table)) {
        Some(rule) => Err(Objection::Rule { table: rule.table }),
        None => Ok(()),
    }
}

fn unfit(prefix: IpNet) -> Option<String> {
    let shortest = if prefix.addr().is_ipv4() { SHORTEST.0 } else { SHORTEST.1 };
    match reserved(prefix) {
        Some(what) => Some(what.to_owned()),
        None => (prefix.prefix_len() < shortest)
            .then(|| format!("shorter than /{shortest}, more of the internet than any one service has")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Family,
        plan::{NextHopId, Rule, Via},
    };

    fn own() -> Kernel {
        Kernel { max_routes: 4, ..Kernel::default() }
    }

    fn holding(routes: &[(u32, &str)]) -> Fib {
        let route = |(table, prefix): &(u32, &str)| ((*table, prefix.parse().unwrap()), Via::Group(NextHopId(2)));
        Fib { routes: routes.iter().map(route).collect(), ..Fib::default() }
    }

    #[test]
    fn what_a_class_may_be_is_let_through_and_so_are_the_defaults_of_probe_tables() {
        let fib = holding(&[
            (7700, "40.96.0.0/13"),
            (7700, "2603:1000::/25"),
            (7701, "13.107.6.152/31"),
            (7710, "0.0.0.0/0"),
            (7773, "::/0"),
        ]);
        assert_eq!(inspect(&own(), &fib), Ok(()));
        assert_eq!(inspect(&own(), &Fib::default()), Ok(()), "withdrawing is always allowed");
    }

    #[test]
    fn a_default_a_swath_and_reserved_space_are_refused_by_name() {
        for (table, prefix, word) in [
            (7700, "0.0.0.0/0", "a default route"),
            (7701, "::/0", "a default route"),
            (7700, "16.0.0.0/7", "shorter than /8"),
            (7700, "2600::/15", "shorter than /16"),
            (7700, "10.1.0.0/16", "private space"),
            (7701, "192.168.7.1/32", "private space"),
            (7700, "fe80::/64", "link-local"),
            (7774, "0.0.0.0/0", "a default route"),
        ] {
            let text = inspect(&own(), &holding(&[(7700, "40.96.0.0/13"), (table, prefix)])).unwrap_err().to_string();
            assert!(text.contains(&format!("{prefix} in table {table} is {word}")), "{text}");
        }
    }

    #[test]
    fn more_routes_than_configured_are_refused_whichever_table_they_are_for() {
        let routes = [(7700, "20.0.0.0/16"), (7700, "20.1.0.0/16"), (7701, "20.0.0.0/16"), (7701, "20.1.0.0/16")];
        assert_eq!(inspect(&own(), &holding(&routes)), Ok(()));
        let one_more = [&routes[..], &[(7701, "20.2.0.0/16")]].concat();
        let text = inspect(&own(), &holding(&one_more)).unwrap_err().to_string();
        assert!(
            text.contains("5 routes are more than kernel.max_routes = 4") && text.contains("20.2.0.0/16"),
            "{text}"
        );
    }

    #[test]
    fn forwarded_traffic_is_never_led_to_a_probe_table() {
        let mut fib = Fib::default();
        let rule = Rule { family: Family::Ipv4, preference: 7700, selector: Selector::Forwarded, table: 7710 };
        fib.rules.insert(rule);
        assert_eq!(inspect(&own(), &fib), Err(Objection::Rule { table: 7710 }));
    }
}
