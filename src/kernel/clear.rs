//! Deletes leftovers, and nothing else along with them.

use std::collections::{BTreeSet, VecDeque};

use netlink_packet_route::rule::RuleMessage;

use super::{
    KernelError,
    encode::add_rule_beside,
    error::Refusal,
    frame::Request,
    leftover::{LEFTOVERS, Leftover},
    message_type::{RTM_GETRULE, RTM_NEWRULE},
    ownership::Ownership,
    read::{absent_is_empty, address_family},
    rule,
    socket::RequestSocket,
    write::{BATCH, is_gone},
};
use crate::{domain::Family, plan::Rule};

/// A rule of our protocol number, as the kernel lists it.
#[derive(Debug)]
pub(super) struct ListedRule {
    pub(super) body: Vec<u8>,
    /// None when it is left over: of another shape than ours, or there for a second time.
    pub(super) rule: Option<Rule>,
}

/// The rules of our protocol number of a family, in the order in which the kernel looks at them.
pub(super) async fn rules(
    socket: &mut RequestSocket,
    own: Ownership,
    family: Family,
) -> Result<Vec<ListedRule>, KernelError> {
    let mut filter = RuleMessage::default();
    filter.header.family = address_family(family);
    let request = Request::new(RTM_GETRULE, 0, &filter);
    let what = format!("list {family} rules");
    let listed = socket.dump(&what, request, |(seen, rules): &mut (BTreeSet<Rule>, Vec<ListedRule>), message| {
        if message.kind != RTM_NEWRULE {
            return Ok(());
        }
        let record = rule::parse(message.payload, family)?.filter(|record| record.protocol == own.protocol);
        if let Some(record) = record {
            let rule = record.rule.filter(|rule| seen.insert(rule.clone()));
            if rule.is_some() || rules.len().saturating_sub(seen.len()) < LEFTOVERS {
                rules.push(ListedRule { body: message.payload.to_vec(), rule });
            }
        }
        Ok(())
    });
    Ok(absent_is_empty(listed.await)?.1)
}

/// How a leftover rule is got rid of.
#[derive(Debug, PartialEq, Eq)]
struct Removal {
    /// Rules of ours to be put once more behind it first.
    again: Vec<Rule>,
    leftover: Leftover,
}

/// The removals of leftovers from a list of rules, in order.
///
/// The kernel deletes the first rule that has all that a request names, and never compares the inversion (`rule_find`,
/// 6.18): asked for `from all lookup 7700` it deletes `not iif lo lookup 7700` of the same preference, if that comes
/// first. So each of ours that stands before a leftover and has all of it is put once more behind it, and deleted in
/// front of it.
fn removals(listed: Vec<ListedRule>) -> Vec<Removal> {
    let mut before: Vec<(Vec<u8>, Rule)> = Vec::new();
    let mut removals = Vec::new();
    for ListedRule { body, rule } in listed {
        match rule {
            Some(rule) => before.push((body, rule)),
            None => {
                // From then on they stand behind all that is listed.
                let covered = before.extract_if(.., |(other, _)| rule::covers(&body, other));
                let again = covered.map(|(_, rule)| rule).collect();
                removals.push(Removal { again, leftover: Leftover::Rule(body) });
            }
        }
    }
    removals
}

/// The work, and what came of it.
pub(super) struct Clearing<'a> {
    pub(super) socket: &'a mut RequestSocket,
    pub(super) own: Ownership,
    pub(super) cleared: usize,
    pub(super) first_refusal: Option<KernelError>,
}

impl Clearing<'_> {
    /// Deletes rules that are left over now, then those of `leftovers` that are routes, then next hops.
    pub(super) async fn clear(&mut self, mut leftovers: Vec<Leftover>) -> Result<(), KernelError> {
        let before = leftovers.len();
        leftovers.retain(|left| !matches!(left, Leftover::Rule(_)));
        if leftovers.len() < before {
            for family in Family::BOTH {
                let listed = rules(self.socket, self.own, family).await?;
                self.remove_rules(removals(listed).into()).await?;
            }
        }
        leftovers.sort_by_key(Leftover::order);
        self.delete(&leftovers).await
    }

    async fn remove_rules(&mut self, mut removals: VecDeque<Removal>) -> Result<(), KernelError> {
        // Those before which nothing of ours stands, together; the others one by one.
        while !removals.is_empty() {
            let simple = removals.iter().position(|removal| !removal.again.is_empty()).unwrap_or(removals.len());
            let simple: Vec<Leftover> = removals.drain(..simple).map(|removal| removal.leftover).collect();
            self.delete(&simple).await?;
            if let Some(removal) = removals.pop_front() {
                self.remove_behind_ours(removal).await?;
            }
        }
        Ok(())
    }

    async fn remove_behind_ours(&mut self, removal: Removal) -> Result<(), KernelError> {
        for rules in removal.again.chunks(BATCH) {
            let copies = rules.iter().map(|rule| add_rule_beside(self.own, rule)).collect();
            for verdict in self.socket.execute("put rules behind a leftover", copies).await? {
                if let Err(refusal) = verdict {
                    // Nothing is lost: the copies made so far are found as leftovers.
                    self.refuse(&removal.leftover, refusal);
                    return Ok(());
                }
            }
        }
        // Once for each of ours in front, and once for itself.
        for _ in &removal.again {
            let deletion = vec![removal.leftover.deletion(self.own)];
            self.socket.execute("remove rules before a leftover", deletion).await?;
        }
        self.delete(std::slice::from_ref(&removal.leftover)).await
    }

    async fn delete(&mut self, leftovers: &[Leftover]) -> Result<(), KernelError> {
        for batch in leftovers.chunks(BATCH) {
            tokio::task::yield_now().await;
            let messages: Vec<Request> = batch.iter().map(|left| left.deletion(self.own)).collect();
            for (left, verdict) in batch.iter().zip(self.socket.execute("remove leftovers", messages).await?) {
                match verdict {
                    Ok(()) => self.cleared += 1,
                    Err(refusal) if is_gone(&refusal) => {}
                    Err(refusal) => self.refuse(left, refusal),
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, left: &Leftover, refusal: Refusal) {
        if self.first_refusal.is_none() {
            let what = format!("delete {}, which an earlier run left", left.describe());
            self.first_refusal = Some(KernelError::refused(what, refusal));
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;
    use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags};

    use super::*;
    use crate::{config::Kernel, plan::Selector};

    fn own() -> Ownership {
        Ownership::new(&Kernel::default())
    }

    fn ours(preference: u32, selector: Selector) -> Rule {
        Rule { family: Family::Ipv4, preference, selector, table: 7700 }
    }

    /// As the kernel describes it: that nothing is suppressed it always says.
    fn body(rule: &Rule, change: impl Fn(&mut RuleMessage)) -> Vec<u8> {
        let mut message = rule::message(own(), rule);
        if !message.attributes.iter().any(|one| matches!(one, RuleAttribute::SuppressPrefixLen(_))) {
            message.attributes.push(RuleAttribute::SuppressPrefixLen(u32::MAX));
        }
        change(&mut message);
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    fn listed(rule: &Rule) -> ListedRule {
        ListedRule { body: body(rule, |_| ()), rule: Some(rule.clone()) }
    }

    /// One of the same preference that says no more than a table.
    fn vague(preference: u32) -> ListedRule {
        let any = ours(preference, Selector::From("0.0.0.0/0".parse().unwrap()));
        let bare =
            |message: &mut RuleMessage| message.attributes.retain(|one| !matches!(one, RuleAttribute::Source(_)));
        ListedRule { body: body(&any, bare), rule: None }
    }

    fn again(listed: Vec<ListedRule>) -> Vec<Vec<Rule>> {
        removals(listed).into_iter().map(|removal| removal.again).collect()
    }

    #[test]
    fn ours_that_stands_before_what_covers_it_is_put_again_once_and_others_are_not() {
        let forwarded = ours(7700, Selector::Forwarded);
        let backup = ours(7701, Selector::Forwarded);
        let source = ours(7700, Selector::From("10.0.0.0/8".parse().unwrap()));
        let list = vec![
            vague(7700),
            listed(&forwarded),
            listed(&source),
            vague(7701),
            vague(7700),
            vague(7700),
            listed(&backup),
        ];
        let expected = [vec![], vec![], vec![forwarded, source], vec![]];
        assert_eq!(again(list), expected);
    }

    #[test]
    fn what_says_anything_that_ours_does_not_can_be_deleted_for_itself() {
        let forwarded = ours(7700, Selector::Forwarded);
        let more: [&dyn Fn(&mut RuleMessage); 6] = [
            &|message| message.attributes.push(RuleAttribute::FwMark(1)),
            &|message| message.attributes.push(RuleAttribute::Oifname("wan9".to_owned())),
            &|message| message.header.tos = 4,
            &|message| message.header.src_len = 8,
            &|message| message.attributes.push(RuleAttribute::Table(900)),
            &|message| message.header.action = RuleAction::Unreachable,
        ];
        for change in more {
            let left = ListedRule { body: body(&forwarded, change), rule: None };
            assert_eq!(again(vec![listed(&forwarded), left]), [vec![]]);
        }
        let not_inverted = |message: &mut RuleMessage| message.header.flags = RuleFlags::empty();
        let left = ListedRule { body: body(&forwarded, not_inverted), rule: None };
        assert_eq!(again(vec![listed(&forwarded), left]), [vec![forwarded]]);
    }
}
