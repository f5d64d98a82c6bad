//! What happens while an event goes through the stages, for those who want to know.
//!
//! Rule tests record the event after every rule; `explain` shows every step. Nobody listens on the
//! path of ordinary lines, and then a step costs one comparison.

use super::grok::Grok;
use crate::event::Event;
use crate::expr::Trace;
use crate::value::Fault;

/// One step.
#[derive(Clone, Copy)]
pub enum Fact<'f, 'a> {
    /// The line got another label or program before any node was asked.
    Classified {
        /// Where the rule for that is written.
        place: &'f str,
        /// The program as received.
        program: &'a str,
    },
    /// A node begins; the top-level nodes of a stage are at depth 0.
    Enter {
        /// How deep it is nested.
        depth: usize,
        /// Its name.
        node: &'f str,
    },
    /// The filter of the node was evaluated.
    Filter {
        /// The expression.
        source: &'f str,
        /// Whether the node goes on.
        passed: bool,
        /// Evaluates it again and tells what became of each clause.
        explain: &'f dyn Fn() -> Trace,
    },
    /// An expression could not be evaluated, or gave a value of no use.
    Fault {
        /// The expression.
        source: &'f str,
        /// Why.
        fault: &'f Fault,
    },
    /// The node's grok was searched for.
    Grok {
        /// The pattern.
        grok: &'f Grok,
        /// The text it was searched in; `None` when there was none.
        text: Option<&'a str>,
        /// Whether it was found.
        found: bool,
    },
    /// The node's allowlist was consulted.
    Allowlist {
        /// The reason it would give.
        reason: &'f str,
        /// Whether the event is on it.
        listed: bool,
    },
    /// A static wrote a text.
    Static {
        /// Where to, as the rule has it.
        target: &'f str,
        /// What.
        text: &'a str,
    },
    /// The node ended.
    Leave {
        /// How deep it is nested.
        depth: usize,
        /// Its name.
        node: &'f str,
        /// Whether it succeeded.
        success: bool,
    },
    /// A top-level node ended, and this is the event after it. Not given for a node that aborted
    /// the event.
    Node {
        /// The stage.
        stage: &'f str,
        /// The node's name.
        node: &'f str,
        /// Whether it succeeded.
        success: bool,
        /// The event.
        event: &'a Event<'a>,
    },
}

/// Somebody who wants to know.
pub type Observer<'o, 'a> = &'o mut dyn FnMut(Fact<'_, 'a>);
