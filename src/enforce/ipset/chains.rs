//! The chain of rules: what iptables has, what it should have, and what it is told. Pure.
//!
//! ```text
//!  *filter
//!  -A INPUT -j WEIR                                           the first: before others accept what
//!  -A FORWARD -j WEIR                                         is established
//!  -A DOCKER-USER -j WEIR                                     where Docker made it
//!  -A WEIR -m set --match-set weir-friends4 src -j RETURN
//!  -A WEIR -m set --match-set weir-ban4 src -j DROP
//!  -A WEIR -m set --match-set weir-ban4-net src -j DROP
//! ```
//!
//! Docker puts its own rules before all others in FORWARD whenever it starts, and promises to ask
//! DOCKER-USER before them. So both are jumped from: the first covers what Docker has nothing to do
//! with, and hosts where it was and is no more; a packet that meets the chain twice is looked up
//! twice.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::per_family::Counts;
use super::sets::{Kind, Role};
use crate::decision::Family;
use crate::settings::{Hook, Verdict};

/// What the rules are to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Names of sets begin with it; the chain is it in capitals.
    pub(super) table: String,
    pub(super) hooks: Vec<Hook>,
    pub(super) verdict: Verdict,
}

const DOCKER: &str = "DOCKER-USER";
/// Tables that packets come by, and the chains in them that can lead to ours.
const PLACES: [(&str, &[&str]); 2] =
    [("raw", &["PREROUTING"]), ("filter", &["INPUT", "FORWARD", DOCKER])];

impl Plan {
    pub(super) fn chain(&self) -> String {
        self.table.to_ascii_uppercase()
    }

    /// Whether a chain is to lead to ours.
    fn has(&self, parent: &str) -> bool {
        self.hooks.contains(match parent {
            "PREROUTING" => &Hook::Prerouting,
            "INPUT" => &Hook::Input,
            _ => &Hook::Forward,
        })
    }

    /// The rules of our chain, without its name.
    fn rules(&self, family: Family, table: &str) -> Vec<String> {
        const RESET: &str = "REJECT --reject-with tcp-reset";
        let reject = match family {
            Family::V4 => "REJECT --reject-with icmp-admin-prohibited",
            Family::V6 => "REJECT --reject-with icmp6-adm-prohibited",
        };
        let mut rules = Vec::new();
        for role in Role::ALL {
            let set = Kind { family, role }.name(&self.table);
            let mut put = |protocol: &str, verdict: &str| {
                rules.push(format!("{protocol}-m set --match-set {set} src -j {verdict}"));
            };
            match self.verdict {
                _ if role == Role::Friends => put("", "RETURN"),
                // Nothing can be refused before it is known where it goes.
                _ if table == "raw" => put("", "DROP"),
                Verdict::Drop => put("", "DROP"),
                Verdict::Reject => put("", reject),
                Verdict::Reset => {
                    put("-p tcp ", RESET);
                    put("", reject);
                }
            }
        }
        rules
    }
}

/// The chains of one table that matter to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    /// The rules of each chain, without its name.
    chains: BTreeMap<String, Vec<String>>,
}

/// What `iptables-save -c` says, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    chain: String,
    tables: BTreeMap<&'static str, Table>,
    /// The table whose lines are being read.
    current: Option<&'static str>,
    /// What the rules that drop have counted.
    pub(super) counts: Counts,
}

impl Found {
    pub(super) fn new(plan: &Plan) -> Self {
        let counts = Counts::default();
        Self { chain: plan.chain(), tables: BTreeMap::new(), current: None, counts }
    }

    /// Reads one line.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix('*') {
            self.current = PLACES.into_iter().map(|(table, _)| table).find(|table| *table == name);
            if let Some(table) = self.current {
                self.tables.entry(table).or_default();
            }
            return;
        }
        let Some(name) = self.current else { return };
        let parents = PLACES.iter().find(|(table, _)| *table == name).map(|(_, chains)| *chains);
        let is_ours = |chain: &str| chain == self.chain;
        let matters =
            |chain: &str| is_ours(chain) || parents.is_some_and(|parents| parents.contains(&chain));
        let Some(table) = self.tables.get_mut(name) else { return };
        if let Some(chain) = line.strip_prefix(':') {
            let chain = chain.split(' ').next().unwrap_or_default();
            if matters(chain) {
                table.chains.entry(chain.to_owned()).or_default();
            }
            return;
        }
        let Some((counts, rule)) = line.split_once("] -A ") else { return };
        let Some((chain, rule)) = rule.split_once(' ') else { return };
        if !matters(chain) {
            return;
        }
        if is_ours(chain) && !rule.ends_with("-j RETURN") {
            let (packets, bytes) =
                counts.trim_start_matches('[').split_once(':').unwrap_or_default();
            let number = |text: &str| text.parse().unwrap_or(0);
            self.counts.packets = self.counts.packets.saturating_add(number(packets));
            self.counts.bytes = self.counts.bytes.saturating_add(number(bytes));
        }
        table.chains.entry(chain.to_owned()).or_default().push(rule.trim_end().to_owned());
    }

    /// Whether a parent leads to us as it should: once, and before all that could accept.
    fn is_led(&self, plan: &Plan, table: &Table, parent: &str) -> bool {
        let jump = format!("-j {}", self.chain);
        let rules = table.chains.get(parent).map(Vec::as_slice).unwrap_or_default();
        let jumps = rules.iter().filter(|rule| **rule == jump).count();
        if !plan.has(parent) || (parent == DOCKER && !table.chains.contains_key(DOCKER)) {
            return jumps == 0;
        }
        let docker = format!("-j {DOCKER}");
        let before = rules.iter().take_while(|rule| **rule != jump);
        // Docker's own chain, from which we are jumped to as well, may come first.
        jumps == 1 && before.into_iter().all(|rule| parent == "FORWARD" && *rule == docker)
    }

    /// Writes what makes this into our rules; nothing where nothing differs.
    pub(super) fn mend(&self, plan: &Plan, family: Family, lines: &mut String) {
        let jump = format!("-j {}", self.chain);
        let none = Table::default();
        for (name, parents) in PLACES {
            let found = self.tables.get(name).unwrap_or(&none);
            let is_wanted = parents.iter().any(|parent| plan.has(parent));
            let ours = found.chains.get(&self.chain);
            let mut steps = String::new();
            if is_wanted {
                let rules = plan.rules(family, name);
                if ours.is_none_or(|ours| *ours != rules) {
                    // With its name alone a chain is emptied, or made.
                    put(&mut steps, format_args!(":{} - [0:0]", self.chain));
                    for rule in rules {
                        put(&mut steps, format_args!("-A {} {rule}", self.chain));
                    }
                }
            }
            for parent in parents {
                if self.is_led(plan, found, parent) {
                    continue;
                }
                let rules = found.chains.get(*parent).map(Vec::as_slice).unwrap_or_default();
                for _ in rules.iter().filter(|rule| **rule == jump) {
                    put(&mut steps, format_args!("-D {parent} {jump}"));
                }
                if plan.has(parent) {
                    put(&mut steps, format_args!("-I {parent} 1 {jump}"));
                }
            }
            if !is_wanted && ours.is_some() {
                put(&mut steps, format_args!("-F {0}\n-X {0}", self.chain));
            }
            commit(name, &steps, lines);
        }
    }

    /// Writes what empties our chain wherever it is, so that nothing uses a set.
    pub(super) fn let_go(&self, lines: &mut String) {
        for (name, table) in &self.tables {
            let mut steps = String::new();
            if table.chains.contains_key(&self.chain) {
                put(&mut steps, format_args!("-F {}", self.chain));
            }
            commit(name, &steps, lines);
        }
    }
}

fn put(steps: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(steps, "{text}").expect("writing to text cannot fail");
}

fn commit(table: &str, steps: &str, lines: &mut String) {
    if !steps.is_empty() {
        put(lines, format_args!("*{table}\n{}\nCOMMIT", steps.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            table: "weir".to_owned(),
            hooks: vec![Hook::Input, Hook::Forward],
            verdict: Verdict::Drop,
        }
    }

    const RULES: &str = "\
[0:0] -A WEIR -m set --match-set weir-friends4 src -j RETURN
[3:180] -A WEIR -m set --match-set weir-ban4 src -j DROP
[2:20] -A WEIR -m set --match-set weir-ban4-net src -j DROP
";

    fn read(plan: &Plan, text: &str) -> Found {
        let mut found = Found::new(plan);
        text.lines().for_each(|line| found.read(line));
        found
    }

    #[track_caller]
    fn check(plan: &Plan, text: &str, expected: &str) {
        let mut lines = String::new();
        read(plan, text).mend(plan, Family::V4, &mut lines);
        assert_eq!(lines, expected, "{text}");
    }

    fn ours(parents: &str) -> String {
        format!(
            "# by hand\n*nat\n:WEIR - [0:0]\n-A WEIR -j ACCEPT\nCOMMIT\n*filter\n\
             :INPUT ACCEPT [0:0]\n:FORWARD DROP [9:90]\n:OTHER - [0:0]\n:WEIR - [0:0]\n\
             {parents}\n{RULES}COMMIT\n"
        )
    }

    const MADE: &str = "*filter
:WEIR - [0:0]
-A WEIR -m set --match-set weir-friends4 src -j RETURN
-A WEIR -m set --match-set weir-ban4 src -j DROP
-A WEIR -m set --match-set weir-ban4-net src -j DROP
-I INPUT 1 -j WEIR
-I FORWARD 1 -j WEIR
COMMIT
";

    #[test]
    fn what_differs_is_mended() {
        let p = plan();
        let jumps = "[0:0] -A INPUT -j WEIR\n[7:7] -A FORWARD -j WEIR";
        check(&p, "", MADE);
        check(&p, &ours(jumps), "");
        let rest = format!("{jumps}\n[0:0] -A INPUT -m conntrack --ctstate RELATED -j ACCEPT");
        check(&p, &ours(&rest), "");
        // Another one comes first, or ours comes twice.
        let late = format!("[0:0] -A INPUT -j OTHER\n{jumps}");
        let again = "*filter\n-D INPUT -j WEIR\n-I INPUT 1 -j WEIR\nCOMMIT\n";
        check(&p, &ours(&late), again);
        let twice = format!("{jumps}\n[0:0] -A INPUT -j WEIR");
        let once = "*filter\n-D INPUT -j WEIR\n-D INPUT -j WEIR\n-I INPUT 1 -j WEIR\nCOMMIT\n";
        check(&p, &ours(&twice), once);
        // A rule of the chain is gone, or there is one more.
        let made = MADE.replace("-I INPUT 1 -j WEIR\n-I FORWARD 1 -j WEIR\n", "");
        check(&p, &ours(jumps).replace("weir-ban4 src -j DROP", "x src -j DROP"), &made);
        check(&p, &ours(&format!("{jumps}\n[0:0] -A WEIR -j ACCEPT")), &made);
    }

    #[test]
    fn dockers_chain_is_used_and_may_come_first() {
        let p = plan();
        let docker = ":DOCKER-USER - [0:0]\n[0:0] -A INPUT -j WEIR\n[0:0] -A FORWARD -j DOCKER-USER\n\
                      [0:0] -A FORWARD -j WEIR\n[0:0] -A FORWARD -o docker0 -j DOCKER";
        let lead = "*filter\n-I DOCKER-USER 1 -j WEIR\nCOMMIT\n";
        check(&p, &ours(&format!("{docker}\n[0:0] -A DOCKER-USER -j RETURN")), lead);
        let led = format!("{docker}\n[0:0] -A DOCKER-USER -j WEIR\n[0:0] -A DOCKER-USER -j RETURN");
        check(&p, &ours(&led), "");
    }

    #[test]
    fn options_that_change_are_carried_out() {
        let p = Plan { hooks: vec![Hook::Prerouting], verdict: Verdict::Reject, ..plan() };
        let jumps = "[0:0] -A INPUT -j WEIR\n[7:7] -A FORWARD -j WEIR";
        check(
            &p,
            &ours(jumps),
            "*raw\n:WEIR - [0:0]\n-A WEIR -m set --match-set weir-friends4 src -j RETURN\n\
             -A WEIR -m set --match-set weir-ban4 src -j DROP\n\
             -A WEIR -m set --match-set weir-ban4-net src -j DROP\n\
             -I PREROUTING 1 -j WEIR\nCOMMIT\n\
             *filter\n-D INPUT -j WEIR\n-D FORWARD -j WEIR\n-F WEIR\n-X WEIR\nCOMMIT\n",
        );
        let p = Plan { verdict: Verdict::Reject, ..plan() };
        let mut lines = String::new();
        read(&p, &ours(jumps)).mend(&p, Family::V6, &mut lines);
        assert!(lines.contains("weir-ban6 src -j REJECT --reject-with icmp6-adm-prohibited\n"));
        // Nothing at all is wanted when all is taken back.
        let p = Plan { hooks: vec![], ..plan() };
        check(
            &p,
            &ours(jumps),
            "*filter\n-D INPUT -j WEIR\n-D FORWARD -j WEIR\n-F WEIR\n-X WEIR\nCOMMIT\n",
        );
        check(&p, "", "");
        let mut lines = String::new();
        read(&p, &ours(jumps)).let_go(&mut lines);
        assert_eq!(lines, "*filter\n-F WEIR\nCOMMIT\n");
    }

    #[test]
    fn what_drops_is_counted() {
        let p = plan();
        let other = "*filter\n:OTHER - [0:0]\n[9:9] -A OTHER -j DROP\nCOMMIT\n";
        let found = read(&p, &(ours("") + other));
        assert_eq!(found.counts, Counts { packets: 5, bytes: 200 });
    }
}
