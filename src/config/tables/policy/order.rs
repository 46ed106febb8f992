//! Orders of ISPs: names of `[[isp]]` tables, best first.

use crate::{
    config::{
        document::Placed,
        finding::Wrong,
        model::Order,
        reader::Item,
        suggestion::{quoted, suggest},
        values::text,
    },
    domain::IspId,
};

const NONE: &str = "name at least one ISP";

/// All ISPs, in an order of a rule.
const ANY: &str = "*";

/// Names of ISPs, best first, each once; nothing when one of them is not what it should be.
pub(super) fn order(item: Item<'_>, names: &[Placed<String>]) -> Option<Vec<IspId>> {
    let document = item.document;
    let mut ids = Vec::new();
    let mut good = true;
    for name in item.elements(NONE, text) {
        match isp_named(&name.value, names, &ids) {
            Ok(id) => ids.push(id),
            Err(wrong) => {
                name.report(document, wrong);
                good = false;
            }
        }
    }
    (good && !ids.is_empty()).then_some(ids)
}

/// As [`order`], or `"*"`.
pub(super) fn order_or_any(item: Item<'_>, names: &[Placed<String>]) -> Option<Order> {
    if item.is_only(ANY) { Some(Order::Any) } else { order(item, names).map(Order::Listed) }
}

fn isp_named(name: &str, names: &[Placed<String>], before: &[IspId]) -> Result<IspId, Wrong> {
    if name == ANY {
        return Err(Wrong::new("\"*\" is no ISP", "in a rule, isps = [\"*\"] alone stands for all of them"));
    }
    match known_isp(name, names)? {
        id if before.contains(&id) => {
            Err(Wrong::new(format!("ISP {} is named twice", quoted(name)), "name each ISP once, best first"))
        }
        id => Ok(id),
    }
}

/// The ISP of a name.
pub(super) fn known_isp(name: &str, names: &[Placed<String>]) -> Result<IspId, Wrong> {
    let position = names.iter().position(|isp| isp.value == name);
    position.and_then(|position| u16::try_from(position).ok()).map(IspId).ok_or_else(|| {
        let fix = match names {
            [] => "add an [[isp]] table of that name".to_owned(),
            names => suggest(name, names.iter().map(|isp| isp.value.as_str())),
        };
        Wrong::new(format!("there is no ISP {}", quoted(name)), fix)
    })
}
