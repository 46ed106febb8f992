//! What a misspelt word may have meant.

/// Most words of a list that are shown.
const MOST: usize = 12;

/// Words longer than this are no typing errors, and cost much to compare.
const LONGEST: usize = 64;

/// The nearest of `known` to a misspelt word, if one is near enough to be meant.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let folded = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (likeness(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// From 0 to 1: the share of letters that need no edit. A word that was only begun, or has a unit or a plural too
/// many, is near although many letters differ.
fn likeness(word: &str, known: &str) -> f64 {
    let begun = word.len().min(known.len()) >= 3 && (word.starts_with(known) || known.starts_with(word));
    strsim::normalized_damerau_levenshtein(word, known).max(if begun { 0.6 } else { 0.0 })
}

/// The remedy for a word that is not one of `known`.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(word, known.clone()) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("use one of {}", listed(known.into_iter().map(quoted))),
    }
}

/// Words in a row, not too many.
pub(super) fn listed(words: impl IntoIterator<Item = String>) -> String {
    let mut words = words.into_iter();
    let shown: Vec<String> = words.by_ref().take(MOST).collect();
    let rest = if words.next().is_some() { ", ..." } else { "" };
    format!("{}{rest}", shown.join(", "))
}

/// A word as messages quote it: escaped and cut, so that it is one line and has no power over the terminal.
pub(crate) fn quoted(word: &str) -> String {
    match word.char_indices().nth(LONGEST) {
        None => format!("{word:?}"),
        Some((end, _)) => format!("{:?}...", word.get(..end).unwrap_or_default()),
    }
}
