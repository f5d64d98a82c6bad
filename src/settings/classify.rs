//! Which program's lines carry which label.

/// A rule of `classify:`: lines of programs whose name fits get the label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classify {
    /// The program's name; `*` stands for any text, `?` for one character.
    pub program: String,
    /// The label `type` that its lines get.
    pub label: String,
}

impl Classify {
    /// Whether the rule speaks of this program. Takes time in the product of the lengths.
    #[must_use]
    pub fn fits(&self, program: &str) -> bool {
        let pattern = self.program.as_bytes();
        let name = program.as_bytes();
        let (mut p, mut n) = (0, 0);
        // The last star seen, and where in the name the part behind it was tried.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, n));
                    p += 1;
                }
                Some(b'?') => {
                    p += 1;
                    n += 1;
                    while name.get(n).is_some_and(|b| b & 0xC0 == 0x80) {
                        n += 1;
                    }
                }
                Some(byte) if name.get(n) == Some(byte) => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((behind, tried)) = star else { return false };
                    star = Some((behind, tried + 1));
                    (p, n) = (behind, tried + 1);
                }
            }
        }
        pattern.get(p..).unwrap_or_default().iter().all(|b| *b == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(program: &str, name: &str, fits: bool) {
        let rule = Classify { program: program.to_owned(), label: "x".to_owned() };
        assert_eq!(rule.fits(name), fits, "{program} {name}");
    }

    #[test]
    fn patterns() {
        check("nginx", "nginx", true);
        check("nginx", "nginx2", false);
        check("nginx*", "nginx", true);
        check("nginx*", "nginx-access", true);
        check("*-access", "nginx-access", true);
        check("*-access", "nginx-accesses", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("?x", "éx", true);
        check("?x", "x", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
    }
}
