//! Words and numbers of the page.

/// What stands for "none" or "not known".
pub(super) const ABSENT: &str = "&#8211;";

/// A text that is no markup, and has no characters that a page may not have.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            // Marks that turn the direction of text around would let a name pass for another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('?'),
            _ => safe.push(letter),
        }
    }
    safe
}

/// Milliseconds with one decimal.
pub(super) fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| format!("{value:.1} ms"))
}

/// A share in percent with two decimals.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| ABSENT.to_owned(), |share| format!("{:.2} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_becomes_markup() {
        assert_eq!(
            escaped("<script>\"x\" & 'y'</script>"),
            "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;"
        );
        assert_eq!(escaped("a\u{0}b\u{202e}c\u{ffff}"), "a?b?c?");
        assert_eq!(escaped("日本 é"), "日本 é");
    }
}
