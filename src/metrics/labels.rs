//! The labels of metrics: one type for each set of them.
//!
//! Values are names out of the configuration or the rules, words of a closed list, or bounded by
//! [`Bounded`](super::Bounded). None is an address, a user's name or a path.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};

/// A set of labels: a struct whose fields are their names.
macro_rules! labels {
    ($($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
        pub struct $name {
            $($(#[$each])* pub $field: $type,)+
        }
    )+};
}

labels! {
    /// A source of lines.
    BySource {
        /// The source's name in the configuration.
        source: String,
    }
    /// Why lines of a source were dropped, or connections refused.
    Dropped {
        /// The source's name in the configuration.
        source: String,
        /// A word of a closed list, such as `bad_frame` or `queue_full`.
        reason: &'static str,
    }
    /// What became of the lines of a source that went on.
    BySourceOutcome {
        /// The source's name in the configuration.
        source: String,
        /// `parsed`, `unparsed` or `allowlisted`.
        outcome: &'static str,
    }
    /// Senders of a source in some state.
    BySourceState {
        /// The source's name in the configuration.
        source: String,
        /// `active` or `silent`.
        state: &'static str,
    }
    /// What became of the lines of a program.
    ByProgram {
        /// The label (`type`) of the line; bounded.
        label: String,
        /// The program that wrote it; bounded.
        program: String,
        /// `parsed`, `unparsed` or `allowlisted`.
        outcome: &'static str,
    }
    /// What a bouncer asked, and how it was answered.
    ByRoute {
        /// `decisions`, `stream`, `usage-metrics` or `other`.
        route: &'static str,
        /// The code of HTTP.
        status: u16,
    }
    /// What a bouncer is told of decisions.
    ByNews {
        /// `new`, `deleted` or `found`.
        news: &'static str,
    }
    /// A program.
    OfProgram {
        /// The label (`type`) of the line; bounded.
        label: String,
        /// The program that wrote it; bounded.
        program: String,
    }
    /// A parser rule.
    ByParser {
        /// Its name.
        parser: String,
    }
    /// A scenario.
    ByScenario {
        /// Its name.
        scenario: String,
    }
    /// A decision.
    ByDecision {
        /// The scenario, `manual`, `list`, `remote` or `merged`.
        scenario: String,
        /// `scenario`, `manual`, `list` or `remote`.
        origin: &'static str,
        /// `ipv4` or `ipv6`.
        family: &'static str,
        /// `ban` or `observe`.
        action: &'static str,
    }
    /// A reason from a closed list.
    ByReason {
        /// The reason.
        reason: &'static str,
    }
    /// A state from a closed list.
    ByState {
        /// The state.
        state: &'static str,
    }
    /// Active decisions.
    ByActive {
        /// `scenario`, `manual`, `list` or `remote`.
        origin: &'static str,
        /// `ipv4` or `ipv6`.
        family: &'static str,
        /// `ban` or `observe`.
        action: &'static str,
    }
    /// A list that is followed.
    ByList {
        /// The name of its file, without ending.
        list: String,
    }
    /// Another host.
    ByRemote {
        /// Its name in the configuration.
        remote: String,
    }
    /// Something about another host.
    ByRemoteReason {
        /// Its name in the configuration.
        remote: String,
        /// A word of a closed list.
        reason: &'static str,
    }
    /// One of the queues between the stages.
    ByQueue {
        /// `lines`, `pours`, `overflows` or `changes`.
        queue: &'static str,
    }
    /// One of the stages that evaluate expressions.
    ByStage {
        /// `parse`, `detect` or `decide`.
        stage: &'static str,
    }
    /// A kind of rule.
    ByKind {
        /// `parser`, `scenario` or `postoverflow`.
        kind: &'static str,
    }
    /// How something ended.
    ByResult {
        /// Success or failure.
        result: Ending,
    }
    /// A backend.
    ByBackend {
        /// Its name in the configuration, such as `nftables`.
        backend: &'static str,
    }
    /// An address family of a backend.
    ByBackendFamily {
        /// Its name in the configuration.
        backend: &'static str,
        /// `ipv4` or `ipv6`.
        family: &'static str,
    }
}

/// Success or failure.
#[derive(Clone, Copy, Debug, Default, Hash, PartialEq, Eq, EncodeLabelValue)]
pub enum Ending {
    /// It worked.
    #[default]
    #[expect(non_camel_case_types, reason = "the label value is lower case")]
    success,
    /// It did not.
    #[expect(non_camel_case_types, reason = "the label value is lower case")]
    failure,
}
