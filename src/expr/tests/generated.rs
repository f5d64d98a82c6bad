//! Expressions made by lot, of all forms that the oracle knows too.
//!
//! Forms in which the two are known to differ are left out; `oracle.rs` lists them.

/// Makes expressions; the same in every run.
pub(super) struct Lots(u64);

const WORDS: [&str; 8] = ["", "x", "y", "xy", "yx", "xyx", "zz", "a b"];

impl Lots {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn one<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len())]
    }

    /// An expression of any type.
    pub(super) fn any(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 => self.int(depth),
            1 => self.float(depth),
            2 | 3 => self.text(depth),
            4 | 5 => self.bool(depth),
            6 => self.ints(depth),
            _ => self.texts(depth),
        }
    }

    fn word(&mut self) -> String {
        let word = self.one(&WORDS);
        match self.below(5) {
            0 => format!("\"{word}\""),
            1 => format!("`{word}`"),
            2 => format!("'{word}\\n\\t\\\\'"),
            3 => format!("\"{word}\\\"é\""),
            _ => format!("'{word}'"),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            let fields =
                ["evt.Parsed.a", "evt.Parsed['b']", "evt.Meta.a", "evt.Stage", "evt?.Parsed?.c"];
            return if self.below(2) == 0 { self.word() } else { self.one(&fields).to_owned() };
        };
        match self.below(22) {
            0 => format!("({} + {})", self.text(deep), self.text(deep)),
            1 => format!("({} ? {} : {})", self.bool(deep), self.text(deep), self.text(deep)),
            2 => {
                let (text, from, to) = (self.text(deep), self.bound(), self.bound());
                format!("({text})[{from}:{to}]")
            }
            3 => format!("string({})", self.scalar(deep)),
            4 => format!("type({})", self.scalar(deep)),
            5 => {
                let name = self.one(&["upper", "lower", "trim"]);
                format!("{name}({})", self.text(deep))
            }
            6 => {
                let name = self.one(&["trimPrefix", "trimSuffix", "trim"]);
                format!("{name}({}, {})", self.text(deep), self.word())
            }
            7 => format!("replace({}, {}, {})", self.text(deep), self.filled(), self.text(deep)),
            8 => format!("repeat({}, {})", self.text(deep), self.below(4)),
            9 => format!("join({}, {})", self.texts(deep), self.word()),
            10 => format!("toBase64({})", self.text(deep)),
            11 => format!("fromBase64(toBase64({}))", self.text(deep)),
            12 => format!("toJSON({})", self.text(deep)),
            13 => format!("(nil ?? {})", self.text(deep)),
            14 => format!("({} ?? 'z')", self.text(deep)),
            15 => format!("({} | upper() | trim())", self.text(deep)),
            16 => format!("{{'k': {}, j: 1}}.k", self.word()),
            17 => format!("{{a: {}}}?.['a']", self.word()),
            18 => format!(
                "(if {} {{ {} }} else {{ {} }})",
                self.bool(deep),
                self.text(deep),
                self.text(deep)
            ),
            19 => format!("reduce({}, {{#acc + #}}, '-')", self.texts(deep)),
            20 => format!("get({{'x': {}}}, 'x')", self.word()),
            _ => self.text(0),
        }
    }

    /// A text that is not empty.
    fn filled(&mut self) -> String {
        format!("'{}'", self.one(&WORDS[1..]))
    }

    fn bound(&mut self) -> String {
        self.one(&["0", "1", "2", "-1", "-2", "9", "-9"]).to_owned()
    }

    fn number(&mut self) -> String {
        self.one(&["0", "1", "2", "3", "7", "42", "0x1F", "0o17", "0b101", "1_000"]).to_owned()
    }

    fn int(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            return if self.below(6) == 0 { "n".to_owned() } else { self.number() };
        };
        match self.below(18) {
            0 | 1 => {
                // Without parentheses: what binds tighter is for both to know.
                let (a, b, c) = (self.int(0), self.int(0), self.int(0));
                let (one, two) = (self.one(&["+", "-", "*"]), self.one(&["+", "-", "*"]));
                format!("({a} {one} {b} {two} {c})")
            }
            2 => format!("({} % {})", self.int(deep), 1 + self.below(9)),
            3 => format!("(-{})", self.int(deep)),
            4 => format!("({} ? {} : {})", self.bool(deep), self.int(deep), self.int(deep)),
            5 => format!("len({})", self.text(deep)),
            6 => format!("len({})", self.ints(deep)),
            7 => {
                let list = self.ints(deep);
                format!("count({list}, {{{}}})", self.test("#"))
            }
            8 => format!("sum({})", self.ints(deep)),
            9 => format!("reduce({}, {{#acc + #}}, 0)", self.ints(deep)),
            10 => format!("int({})", self.float(deep)),
            11 => format!("int('{}')", self.below(1000)),
            12 => {
                let name = self.one(&["indexOf", "lastIndexOf"]);
                format!("{name}({}, {})", self.text(deep), self.word())
            }
            13 => {
                let name = self.one(&["bitand", "bitor", "bitxor", "bitnand"]);
                format!("{name}({}, {})", self.int(deep), self.int(deep))
            }
            14 => {
                let name = self.one(&["bitshl", "bitshr", "bitushr"]);
                format!("{name}({}, {})", self.number(), self.below(9))
            }
            15 => format!("abs({})", self.int(deep)),
            16 => {
                let name = self.one(&["max", "min"]);
                format!("{name}({}, {})", self.int(deep), self.int(deep))
            }
            _ => format!("sum({}, {{# * 2}})", self.ints(deep)),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            return self.one(&["0.5", ".25", "1e3", "1.5e-3", "2.75", "100.125"]).to_owned();
        };
        match self.below(9) {
            0 => format!("({} / {})", self.int(deep), 1 + self.below(9)),
            1 => format!("({} + {})", self.float(deep), self.int(deep)),
            2 => format!("({} * {})", self.int(deep), self.float(deep)),
            3 => {
                let name = self.one(&["ceil", "floor", "round", "float"]);
                format!("{name}({})", self.float(deep))
            }
            4 => format!("({} ** {})", self.below(5), self.below(5)),
            5 => format!("2 ** {} ** 2 * {}", self.below(3), self.below(5)),
            6 => format!("-{} ** 2", 1 + self.below(4)),
            7 => {
                let name = self.one(&["mean", "median"]);
                format!("{name}({})", self.ints(deep))
            }
            _ => format!("float({})", self.int(deep)),
        }
    }

    /// A value without parts.
    fn scalar(&mut self, depth: usize) -> String {
        match self.below(5) {
            0 => self.int(depth),
            1 => self.float(depth),
            2 => self.bool(depth),
            3 => "nil".to_owned(),
            _ => self.text(depth),
        }
    }

    /// A test of a number.
    fn test(&mut self, of: &str) -> String {
        let sign = self.one(&["==", "!=", "<", "<=", ">", ">="]);
        format!("{of} {sign} {}", self.number())
    }

    fn ints(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            let length = self.below(5);
            let items: Vec<String> = (0..length).map(|_| self.number()).collect();
            return format!("[{}]", items.join(", "));
        };
        match self.below(13) {
            0 => format!("filter({}, {{{}}})", self.ints(deep), self.test("#")),
            1 => format!("map({}, {{# + #index}})", self.ints(deep)),
            2 => format!("map({}, {{len(#)}})", self.texts(deep)),
            3 => format!("({})[{}:{}]", self.ints(deep), self.bound(), self.bound()),
            4 => format!("{}..{}", self.below(4), self.below(9)),
            5 => format!("sort({}, '{}')", self.ints(deep), self.one(&["asc", "desc"])),
            6 => format!("sortBy({}, {{-#}})", self.ints(deep)),
            7 => {
                let name = self.one(&["reverse", "uniq", "flatten"]);
                format!("{name}({})", self.ints(deep))
            }
            8 => format!("concat({}, {})", self.ints(deep), self.ints(deep)),
            9 => format!("take({}, {})", self.ints(deep), self.below(4)),
            10 => format!("flatten([{}, {}])", self.ints(deep), self.ints(deep)),
            11 => {
                format!("({} | filter({{{}}}) | map({{# * 2}}))", self.ints(deep), self.test("#"))
            }
            _ => self.ints(0),
        }
    }

    fn texts(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            let length = self.below(4);
            let items: Vec<String> = (0..length).map(|_| self.text(0)).collect();
            return format!("[{}]", items.join(", "));
        };
        match self.below(8) {
            0 => format!("split({}, {})", self.text(deep), self.filled()),
            1 => format!("splitAfter({} + '.', {})", self.text(deep), self.filled()),
            2 => format!("filter({}, {{# contains {}}})", self.texts(deep), self.filled()),
            3 => format!("map({}, {{# + {}}})", self.texts(deep), self.word()),
            4 => format!("sort({})", self.texts(deep)),
            5 => format!("reverse({})", self.texts(deep)),
            6 => format!("uniq({})", self.texts(deep)),
            _ => self.texts(0),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let Some(deep) = depth.checked_sub(1) else {
            return match self.below(3) {
                0 => self.one(&["true", "false"]).to_owned(),
                1 => {
                    let sign =
                        self.one(&["==", "!=", "contains", "startsWith", "endsWith", "<", ">="]);
                    format!("({} {sign} {})", self.text(0), self.filled())
                }
                _ => {
                    let number = self.number();
                    format!("({})", self.test(&number))
                }
            };
        };
        match self.below(18) {
            0 | 1 => {
                let parts: Vec<String> = (0..2 + self.below(3)).map(|_| self.bool(deep)).collect();
                // `and` binds tighter than `or`, in either spelling.
                let signs: Vec<&str> =
                    parts.iter().map(|_| self.one(&[" && ", " || ", " and ", " or "])).collect();
                let joined: String =
                    parts.iter().zip(&signs).map(|(part, sign)| format!("{part}{sign}")).collect();
                format!("({joined}true)")
            }
            2 => format!("not ({})", self.bool(deep)),
            3 => format!("!({})", self.bool(deep)),
            4 => format!("({} ? {} : {})", self.bool(deep), self.bool(deep), self.bool(deep)),
            5 => {
                let (text, words) = (self.text(deep), self.texts(0));
                format!("({text} {} {words})", self.one(&["in", "not in"]))
            }
            6 => format!("({} in {})", self.int(deep), self.ints(deep)),
            7 => {
                let name = self.one(&["any", "all", "none", "one"]);
                format!("{name}({}, {{{}}})", self.ints(deep), self.test("#"))
            }
            8 => {
                let name = self.one(&["any", "all", "none", "one"]);
                let sign = self.one(&["contains", "startsWith", "endsWith", "=="]);
                format!("{name}({}, {{# {sign} {}}})", self.texts(deep), self.text(0))
            }
            9 => format!("({} matches '^x+y?$')", self.text(deep)),
            10 => format!("({} == {})", self.ints(deep), self.ints(deep)),
            11 => format!("({} == {})", self.text(deep), self.text(deep)),
            12 => {
                let sign = self.one(&["<", "<=", ">", ">="]);
                format!("({} {sign} {})", self.float(deep), self.int(deep))
            }
            13 => {
                let name = self.one(&["hasPrefix", "hasSuffix"]);
                format!("{name}({}, {})", self.text(deep), self.word())
            }
            14 => format!("('{}' in {{x: 1, y: 2}})", self.one(&["x", "z"])),
            15 => format!("(findIndex([7, {}], {{# == 7}}) == 0)", self.int(deep)),
            16 => {
                let name = self.one(&["find", "findLast"]);
                format!("({name}({}, {{{}}}) != nil)", self.ints(deep), self.test("#"))
            }
            _ => format!("(first({}) == last({}))", self.ints(deep), self.ints(deep)),
        }
    }
}
