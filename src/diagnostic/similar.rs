//! "Did you mean": the known word that is nearest to a mistyped one.

// Hostile: the distance takes time in the product of the lengths.
const LONGEST: usize = 64;

/// The word of `known` that `word` was probably meant to be, if any is near enough: one slip of
/// the keys for short words, one for every three letters in longer ones.
pub fn similar<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let typed: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if typed.is_empty() || typed.len() > LONGEST {
        return None;
    }
    let allowed = (typed.len() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| {
            let meant: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
            // Two letters that share none are not similar, though one slip apart from one letter.
            let distance = distance(&typed, &meant);
            let near = distance <= allowed && distance < meant.len();
            near.then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Damerau–Levenshtein distance in its restricted form: insertions, deletions, substitutions and
/// swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, meant: Option<&str>) {
        let known = ["name", "filter", "capacity", "leakspeed", "groupby", "on", "nodes"];
        assert_eq!(similar(word, known), meant, "{word}");
    }

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        check("nmae", Some("name"));
        check("names", Some("name"));
        check("Name", Some("name"));
        check("filtr", Some("filter"));
        check("capcaity", Some("capacity"));
        check("leak_speed", Some("leakspeed"));
        check("no", Some("on"));
        check("xy", None);
        check("blackhole", None);
        check("", None);
        check(&"n".repeat(1000), None);
    }
}
