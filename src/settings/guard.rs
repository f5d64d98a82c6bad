//! `guard:` – who is not locked out because they work here.

use std::sync::Arc;
use std::time::Duration;

use super::quantity::{duration, duration_from};
use super::section::{At, later, section};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::Node;

/// Who is not locked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What `evt.Meta.log_type` is of lines that tell of a login.
    pub logins: Vec<String>,
    /// For how long a login guards.
    pub span: Duration,
    /// The local TCP ports whose connections guard.
    pub ports: Vec<u16>,
    /// For how long a connection must have stood.
    pub after: Duration,
}

impl Default for Guard {
    /// Logins over SSH for half a day; connections to its port once they are older than sshd lets
    /// one stand that does not log in (`LoginGraceTime`, two minutes).
    fn default() -> Self {
        Self {
            logins: vec!["ssh_success-auth".to_owned()],
            span: Duration::from_secs(12 * 3600),
            ports: vec![22],
            after: Duration::from_secs(180),
        }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    off: Option<At<bool>>,
    logins: Option<At<Vec<String>>>,
    span: Option<At<Duration>>,
    ports: Option<At<Vec<u16>>>,
    after: Option<At<Duration>>,
}

/// Each port is a question to the kernel.
const MOST_PORTS: usize = 32;

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let (off, fields) = section(node, file, "`guard`", diagnostics);
        let mut typed = Self { off, ..Self::default() };
        let Some(mut fields) = fields else { return typed };
        let here = |node: &Node| node.head();
        if let Some(node) = fields.node("logins") {
            let words = fields.text_list("logins").into_iter().map(|word| word.value.to_owned());
            typed.logins =
                Some(At { value: words.collect(), file: Arc::clone(file), span: here(node) });
        }
        if let Some(node) = fields.node("ports") {
            let mut ports = Vec::new();
            for text in fields.text_list("ports") {
                match text.value.parse::<u16>() {
                    Ok(port) if port > 0 => ports.push(port),
                    _ => {
                        let message = format!("`{}` is no port", text.value);
                        fields.report(text.span, "wrong-value", message);
                    }
                }
            }
            if ports.len() > MOST_PORTS {
                let message = format!("expected at most {MOST_PORTS} ports, found {}", ports.len());
                fields.report(here(node), "too-many", message);
            }
            typed.ports = Some(At { value: ports, file: Arc::clone(file), span: here(node) });
        }
        typed.span = duration(&mut fields, "for");
        typed.after = duration_from(&mut fields, "after", "1s");
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.off, other.off);
        later(&mut self.logins, other.logins);
        later(&mut self.span, other.span);
        later(&mut self.ports, other.ports);
        later(&mut self.after, other.after);
    }

    /// `None` when it is switched off.
    pub(super) fn mean(self) -> Option<Guard> {
        if self.off.is_some_and(|off| off.value) {
            return None;
        }
        let default = Guard::default();
        Some(Guard {
            logins: self.logins.map_or(default.logins, |found| found.value),
            span: self.span.map_or(default.span, |found| found.value),
            ports: self.ports.map_or(default.ports, |found| found.value),
            after: self.after.map_or(default.after, |found| found.value),
        })
    }
}
