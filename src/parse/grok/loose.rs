//! A cheap stand-in for the pattern of addresses.
//!
//! Most patterns hold an address, and its full pattern costs more than all the rest. In a loose
//! form of such a pattern an address is any run of the characters that addresses are made of;
//! what it found is then checked by [`std::net::Ipv4Addr`], and only if that fails, for IPv6
//! addresses above all, the full pattern is searched for.
//!
//! Why the loose form, checked, finds exactly what the full one does. Both look for the first of
//! all ways to match, in the same order. (1) Whatever the full address pattern matches, the loose
//! one can match too, but for a zone behind a `%`; texts with a `%` are left to the full form. So
//! where the loose form finds nothing, there is nothing to find, and every way of the full form is
//! a way of the loose one, at the same place in the order but for the length of the address. (2)
//! Both try addresses from the longest to the shortest: the full one, where a text starts with
//! digits and a dot, because only its IPv4 branch can match there, the first three numbers are held
//! fast by their dots, and each branch of the fourth is tried from three digits to one. So when the
//! first way of the loose form has an IPv4 address in every place, it is the first of the full
//! form. (3) The check sees the last run of a group only, so nothing within a repetition is
//! loosened.

use std::sync::OnceLock;

use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition,
};

use super::lean;
use super::patterns::BASE;

/// A pattern with loose addresses.
pub(super) struct Loose {
    pub(super) hir: Hir,
    /// The groups that must hold an IPv4 address if they take part.
    pub(super) checked: Vec<usize>,
}

/// The loose form of a lean ASCII pattern that has groups up to `last`; `None` when it holds no
/// address.
pub(super) fn loosen(hir: Hir, last: usize) -> Option<Loose> {
    let mut loosener = Loosener { next: u32::try_from(last).ok()? + 1, checked: Vec::new() };
    let hir = loosener.rebuild(hir);
    (!loosener.checked.is_empty()).then_some(Loose { hir, checked: loosener.checked })
}

struct Loosener {
    next: u32,
    checked: Vec<usize>,
}

impl Loosener {
    // The parser bounds the depth.
    fn rebuild(&mut self, hir: Hir) -> Hir {
        if &hir == address() {
            let index = self.next;
            self.next += 1;
            return self.checked_run(Capture { index, name: None, sub: Box::new(Hir::empty()) });
        }
        match hir.into_kind() {
            HirKind::Capture(capture) if &*capture.sub == address() => self.checked_run(capture),
            HirKind::Capture(Capture { index, name, sub }) => {
                Hir::capture(Capture { index, name, sub: Box::new(self.rebuild(*sub)) })
            }
            HirKind::Repetition(mut repetition) if repetition.max == Some(1) => {
                *repetition.sub = self.rebuild(*repetition.sub);
                Hir::repetition(repetition)
            }
            HirKind::Concat(subs) => {
                Hir::concat(subs.into_iter().map(|sub| self.rebuild(sub)).collect())
            }
            HirKind::Alternation(subs) => {
                Hir::alternation(subs.into_iter().map(|sub| self.rebuild(sub)).collect())
            }
            other => lean::from_kind(other),
        }
    }

    fn checked_run(&mut self, capture: Capture) -> Hir {
        self.checked.push(capture.index as usize);
        Hir::capture(Capture { sub: Box::new(run()), ..capture })
    }
}

/// One or more of the characters that addresses are made of.
fn run() -> Hir {
    let range = ClassUnicodeRange::new;
    let class = [range('0', ':'), range('A', 'F'), range('a', 'f'), range('.', '.')];
    Hir::repetition(Repetition {
        min: 1,
        max: None,
        greedy: true,
        sub: Box::new(Hir::class(Class::Unicode(ClassUnicode::new(class)))),
    })
}

/// The full pattern of addresses, lean and for ASCII.
fn address() -> &'static Hir {
    static ADDRESS: OnceLock<Hir> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let find =
            |wanted: &str| BASE.iter().find(|(name, _)| *name == wanted).map(|found| found.1);
        let (Some(six), Some(four)) = (find("IPV6"), find("IPV4")) else { return Hir::fail() };
        let pattern = crate::expr::dialect::rewrite(&format!("({six})|({four})")).text;
        let hir = regex_syntax::parse(&pattern).expect("the base patterns are regular expressions");
        lean::ascii_only(lean::drop_groups(hir, &|_| None))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Library;

    #[track_caller]
    fn check(pattern: &str, loosened: usize) {
        let mut library = Library::base();
        library.add("WORKAROUND", "(?:%{IPV6}|%{IPV4})").unwrap();
        let grok = library.compile(pattern).unwrap();
        assert_eq!(grok.n_loosened(), loosened, "{pattern}");
    }

    #[test]
    fn addresses_are_loosened_wherever_the_check_can_see_them() {
        check("from %{IP:ip}", 1);
        check("from %{WORKAROUND:ip} to %{IP}: %{WORD:w}", 2);
        check("%{WORD:w}( from %{IP:ip})?", 1);
        check("(?:a %{IP:a}|b %{IP:b})", 2);
        check("%{WORD:w}", 0);
        check("%{IPORHOST:host}", 0);
        check("(%{IP:ip},)+", 0);
    }
}
