//! The difference of two short texts, as `diff -u` shows it. Pure and bounded.

/// Lines around a change.
const CONTEXT: usize = 3;
/// Products of line numbers above which texts are not compared line by line.
const MOST: usize = 4_000_000;
/// Lines that are shown.
const SHOWN: usize = 400;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Remove,
    Add,
}

/// The difference; empty when there is none.
pub(super) fn unified(path: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let steps = steps(&a, &b);
    // Which steps are shown: changes and what is around them.
    let mut shown = vec![false; steps.len()];
    for (at, _) in steps.iter().enumerate().filter(|(_, step)| **step != Step::Keep) {
        let end = (at + CONTEXT + 1).min(steps.len());
        shown[at.saturating_sub(CONTEXT)..end].fill(true);
    }
    let from = if old.is_empty() { "/dev/null" } else { path };
    let mut text = format!("--- {from}\n+++ {path}\n");
    let (mut i, mut j, mut lines) = (0, 0, 0);
    let mut at = 0;
    while at < steps.len() {
        let length = shown[at..].iter().take_while(|one| **one).count();
        if length > 0 {
            let hunk = &steps[at..at + length];
            let count = |not| hunk.iter().filter(|step| **step != not).count();
            let (olds, news) = (count(Step::Add), count(Step::Remove));
            text.push_str(&format!(
                "@@ -{},{olds} +{},{news} @@\n",
                if olds == 0 { i } else { i + 1 },
                if news == 0 { j } else { j + 1 }
            ));
        }
        for step in &steps[at..at + length.max(1)] {
            let (sign, line) = match step {
                Step::Keep => (' ', a[i]),
                Step::Remove => ('-', a[i]),
                Step::Add => ('+', b[j]),
            };
            i += usize::from(*step != Step::Add);
            j += usize::from(*step != Step::Remove);
            if length > 0 {
                lines += 1;
                if lines <= SHOWN {
                    text.push(sign);
                    text.push_str(&crate::diagnostic::printable(line, 300));
                    text.push('\n');
                }
            }
        }
        at += length.max(1);
    }
    if lines > SHOWN {
        text.push_str(&format!("... and {} lines more\n", lines - SHOWN));
    }
    text
}

/// How the one becomes the other, by their longest common lines.
fn steps(a: &[&str], b: &[&str]) -> Vec<Step> {
    if a.len().saturating_mul(b.len()) > MOST {
        let removed = std::iter::repeat_n(Step::Remove, a.len());
        return removed.chain(std::iter::repeat_n(Step::Add, b.len())).collect();
    }
    // longest[i][j]: of what is left from i and j on.
    let width = b.len() + 1;
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut steps = Vec::with_capacity(a.len() + b.len());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            steps.push(Step::Keep);
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len()
            || i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            steps.push(Step::Remove);
            i += 1;
        } else {
            steps.push(Step::Add);
            j += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, expected: &str) {
        assert_eq!(unified("f", old, new), expected);
    }

    #[test]
    fn as_diff_shows_it() {
        check("a\n", "a\n", "");
        check("", "a\nb\n", "--- /dev/null\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
        check("a\nb\nc\n", "a\nx\nc\n", "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "0\n1\n2\n3\n4\n5\n6\n7\n8\n",
            "--- f\n+++ f\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -6,4 +7,3 @@\n 6\n 7\n 8\n-9\n",
        );
    }

    proptest! {
        /// The steps lead from the one to the other.
        #[test]
        fn steps_lead_there(a in proptest::collection::vec("[abc]", 0..12), b in proptest::collection::vec("[abc]", 0..12)) {
            let a: Vec<&str> = a.iter().map(String::as_str).collect();
            let b: Vec<&str> = b.iter().map(String::as_str).collect();
            let (mut i, mut j) = (0, 0);
            for step in steps(&a, &b) {
                if step == Step::Keep {
                    prop_assert_eq!(a[i], b[j]);
                }
                i += usize::from(step != Step::Add);
                j += usize::from(step != Step::Remove);
            }
            prop_assert_eq!((i, j), (a.len(), b.len()));
        }
    }
}
