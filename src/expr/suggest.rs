//! "Did you mean": the known name that is nearest to one that is not known.

/// The candidate nearest to `name`, if one is near enough to have been meant.
pub(super) fn nearest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // Of one letter, any other letter would be near.
    let limit = match name.chars().count() {
        0 | 1 => 0,
        letters => (letters / 3).clamp(1, 3),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour. Letters
/// that differ only in case count nothing, but one wrong case makes the distance at least one.
fn distance(left: &str, right: &str) -> usize {
    let a: Vec<char> = left.chars().flat_map(char::to_lowercase).take(64).collect();
    let b: Vec<char> = right.chars().flat_map(char::to_lowercase).take(64).collect();
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()].max(usize::from(left != right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(nearest(name, ["Parsed", "Meta", "Line", "Unmarshaled", "Upper"]), expected);
    }

    #[test]
    fn finds_what_was_meant() {
        check("Metta", Some("Meta"));
        check("meta", Some("Meta"));
        check("Prased", Some("Parsed"));
        check("Unmarshalled", Some("Unmarshaled"));
        check("upper", Some("Upper"));
        check("Nothing", None);
        check("", None);
    }
}
