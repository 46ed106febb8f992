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
mod tests;
