//! Exact aggregation: the fewest routes that answer every address as the given prefixes do.
//!
//! This is Optimal Route Table Construction (Draves, King, Venkatachary and Zill, INFOCOM 1999) with one constraint:
//! "no route" cannot be expressed in a table, so space that nothing covers must stay uncovered. A prefix may therefore
//! stand as a route only where all of its space is covered, and each largest covered block is optimised by itself.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Aggregates prefixes with their classes; nested prefixes are resolved by longest match, of two equal prefixes the
/// first counts. The answer is sorted, and equal for every address to the input: never one address more or less.
pub fn aggregate(entries: &[(IpNet, u32)]) -> Vec<(IpNet, u32)> {
    let mut routes: Vec<(IpNet, u32)> = [32, 128]
        .into_iter()
        .flat_map(|width| {
            let mut blocks: Vec<(Block, u32)> = entries
                .iter()
                .filter(|(net, _)| net.max_prefix_len() == width)
                .map(|(net, class)| (Block::of(*net), *class))
                .collect();
            // Stable: the first of two equal prefixes stays first.
            blocks.sort_by_key(|(block, _)| *block);
            blocks.dedup_by_key(|(block, _)| *block);
            let mut out = Vec::new();
            let root = solve(Block { bits: 0, length: 0 }, None, &blocks, width, &mut out);
            emit(&root, Block { bits: 0, length: 0 }, None, &mut out);
            out.into_iter()
                .filter_map(move |(block, class)| Some((block.into_net(width)?, class)))
                .collect::<Vec<_>>()
        })
        .collect();
    routes.sort_unstable();
    routes
}

/// A prefix of either family; its bits stand at the left of 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    bits: u128,
    length: u8,
}

impl Block {
    fn of(net: IpNet) -> Self {
        let bits = match net.network() {
            std::net::IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            std::net::IpAddr::V6(address) => address.to_bits(),
        };
        Self { bits, length: net.prefix_len() }
    }

    fn into_net(self, width: u8) -> Option<IpNet> {
        if width == 32 {
            let bits = u32::try_from(self.bits >> 96).ok()?;
            Ipv4Net::new(bits.into(), self.length).ok().map(IpNet::V4)
        } else {
            Ipv6Net::new(self.bits.into(), self.length).ok().map(IpNet::V6)
        }
    }

    fn halves(self) -> [Self; 2] {
        let length = self.length + 1;
        [Self { length, ..self }, Self { bits: self.bits | 1 << (128 - u32::from(length)), length }]
    }
}

/// A block as solved from below.
enum Solved {
    /// Nothing may stand at this block: part of it is uncovered. What is covered in it was put out already.
    Open,
    /// All of it is of one class.
    Whole(u32),
    /// All of it is covered, by different classes; `labels` are those with which it needs the fewest routes.
    Mixed { labels: Vec<u32>, halves: Box<[Solved; 2]> },
}

impl Solved {
    fn labels(&self) -> &[u32] {
        match self {
            Self::Open => &[],
            Self::Whole(class) => std::slice::from_ref(class),
            Self::Mixed { labels, .. } => labels,
        }
    }
}

/// Solves a block in which `around` is the class of the nearest prefix around it, and `inside` the prefixes in it.
fn solve(
    block: Block,
    around: Option<u32>,
    inside: &[(Block, u32)],
    width: u8,
    out: &mut Vec<(Block, u32)>,
) -> Solved {
    let (class, inside) = match inside.split_first() {
        Some(((first, class), rest)) if *first == block => (Some(*class), rest),
        _ => (around, inside),
    };
    if inside.is_empty() || block.length == width {
        return class.map_or(Solved::Open, Solved::Whole);
    }
    let [low, high] = block.halves();
    let (in_low, in_high) = inside.split_at(inside.partition_point(|(prefix, _)| prefix.bits < high.bits));
    let solved_low = solve(low, class, in_low, width, out);
    let solved_high = solve(high, class, in_high, width, out);
    join(solved_low, solved_high, [low, high], out)
}

fn join(low: Solved, high: Solved, blocks: [Block; 2], out: &mut Vec<(Block, u32)>) -> Solved {
    match (&low, &high) {
        (Solved::Open, _) | (_, Solved::Open) => {
            emit(&low, blocks[0], None, out);
            emit(&high, blocks[1], None, out);
            Solved::Open
        }
        (Solved::Whole(one), Solved::Whole(other)) if one == other => Solved::Whole(*one),
        _ => {
            let common: Vec<u32> =
                low.labels().iter().filter(|label| high.labels().contains(label)).copied().collect();
            let mut labels = if common.is_empty() { [low.labels(), high.labels()].concat() } else { common };
            labels.sort_unstable();
            Solved::Mixed { labels, halves: Box::new([low, high]) }
        }
    }
}

/// Puts out the routes of a block, around which a route of class `around` stands already.
fn emit(solved: &Solved, block: Block, around: Option<u32>, out: &mut Vec<(Block, u32)>) {
    let label = match around.filter(|around| solved.labels().contains(around)) {
        Some(around) => around,
        None => match solved.labels().first() {
            Some(label) => {
                out.push((block, *label));
                *label
            }
            None => return,
        },
    };
    if let Solved::Mixed { halves, .. } = solved {
        for (half, block) in halves.iter().zip(block.halves()) {
            emit(half, block, Some(label), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// Class of an address by longest match; of equal prefixes the first.
    fn answer(entries: &[(IpNet, u32)], address: std::net::IpAddr) -> Option<u32> {
        let mut best: Option<(IpNet, u32)> = None;
        for (prefix, class) in entries.iter().filter(|(prefix, _)| prefix.contains(&address)) {
            if best.is_none_or(|(longest, _)| prefix.prefix_len() > longest.prefix_len()) {
                best = Some((*prefix, *class));
            }
        }
        best.map(|(_, class)| class)
    }

    fn addresses(net: IpNet) -> impl Iterator<Item = std::net::IpAddr> {
        net.subnets(net.max_prefix_len()).unwrap().map(|host| host.addr())
    }

    /// The least number of routes that answer as `entries` do inside `block`, by trying every label at every block.
    fn fewest(entries: &[(IpNet, u32)], block: IpNet, around: Option<u32>) -> usize {
        let answers: Vec<_> = addresses(block).map(|address| answer(entries, address)).collect();
        let below = |around: Option<u32>| {
            if block.prefix_len() == block.max_prefix_len() {
                return if answers[0] == around { 0 } else { usize::MAX / 4 };
            }
            block.subnets(block.prefix_len() + 1).unwrap().map(|half| fewest(entries, half, around)).sum()
        };
        let labelled = if answers.contains(&None) { None } else { Some(0..2) };
        labelled.into_iter().flatten().map(|label| 1 + below(Some(label))).chain([below(around)]).min().unwrap()
    }

    fn inside(universe: &'static str, classes: u32) -> impl Strategy<Value = Vec<(IpNet, u32)>> {
        let universe = net(universe);
        let (from, to) = (universe.prefix_len(), universe.max_prefix_len());
        vec((from..=to, any::<u128>(), 0..classes), 0..24).prop_map(move |drawn| {
            drawn
                .into_iter()
                .map(|(length, random, class)| {
                    let spread = random & (u128::MAX >> (128 - u32::from(to - from)).min(127));
                    let address = match universe.network() {
                        std::net::IpAddr::V4(base) => {
                            std::net::IpAddr::V4((base.to_bits() | u32::try_from(spread).unwrap()).into())
                        }
                        std::net::IpAddr::V6(base) => std::net::IpAddr::V6((base.to_bits() | spread).into()),
                    };
                    (IpNet::new(address, length).unwrap().trunc(), class)
                })
                .collect()
        })
    }

    fn assert_same_answers(entries: &[(IpNet, u32)], universe: &str) {
        let routes = aggregate(entries);
        for address in addresses(net(universe)) {
            assert_eq!(answer(&routes, address), answer(entries, address), "{address} by {routes:?}");
        }
    }

    #[test]
    fn siblings_of_one_class_become_one_route_and_strangers_stay_apart() {
        let entries = [(net("10.0.0.0/25"), 1), (net("10.0.0.128/25"), 1), (net("10.0.1.0/25"), 1)];
        assert_eq!(aggregate(&entries), [(net("10.0.0.0/24"), 1), (net("10.0.1.0/25"), 1)]);
    }

    #[test]
    fn a_nested_prefix_of_another_class_keeps_the_outer_route_whole() {
        let entries = [(net("10.0.0.0/8"), 1), (net("10.1.0.0/16"), 2)];
        assert_eq!(aggregate(&entries), entries);
    }

    #[test]
    fn four_quarters_of_which_one_differs_need_two_routes() {
        let entries =
            [(net("10.0.0.0/26"), 1), (net("10.0.0.64/26"), 1), (net("10.0.0.128/26"), 2), (net("10.0.0.192/26"), 1)];
        assert_eq!(aggregate(&entries), [(net("10.0.0.0/24"), 1), (net("10.0.0.128/26"), 2)]);
    }

    #[test]
    fn nothing_needs_nothing_and_hosts_are_fine() {
        assert_eq!(aggregate(&[]), []);
        let hosts = [(net("2001:db8::/128"), 1), (net("2001:db8::1/128"), 1)];
        assert_eq!(aggregate(&hosts), [(net("2001:db8::/127"), 1)]);
    }

    proptest! {
        #[test]
        fn every_ipv4_address_is_answered_as_before(entries in inside("10.0.0.0/22", 4)) {
            assert_same_answers(&entries, "10.0.0.0/22");
        }

        #[test]
        fn every_ipv6_address_is_answered_as_before(entries in inside("2001:db8::/118", 3)) {
            assert_same_answers(&entries, "2001:db8::/118");
        }

        #[test]
        fn no_smaller_table_answers_the_same(entries in inside("10.0.0.0/28", 2)) {
            prop_assert_eq!(aggregate(&entries).len(), fewest(&entries, net("10.0.0.0/28"), None));
        }
    }
}
