//! The registry: each metric with its name and what it says.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::table::Table;
use super::{Metrics, process};

impl Metrics {
    /// A registry of all metrics, for [`exposition`](super::exposition).
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.fill(false)
    }

    /// The same with a series in each family, whose labels are empty: what documents are compared
    /// with.
    #[doc(hidden)]
    #[must_use]
    pub fn registry_of_examples(&self) -> Registry {
        self.fill(true)
    }

    fn fill(&self, has_examples: bool) -> Registry {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::Process));
        let all = root.sub_registry_with_prefix("weir");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The running version", version);
        let mut all = Table::new(all, has_examples);
        self.intake(&mut all);
        self.parsing(&mut all);
        self.detection(&mut all);
        self.decisions(&mut all);
        self.friends_and_lists(&mut all);
        self.enforce.register(&mut all);
        self.daemon(&mut all);
        self.pages.register(&mut all);
        self.lapi.register(&mut all);
        self.remotes.register(&mut all);
        root
    }

    fn intake(&self, all: &mut Table<'_>) {
        all.family("lines_received", "Lines received", &self.lines_received);
        all.family_in(Unit::Bytes, "received", "Bytes received", &self.bytes_received);
        all.family("lines_dropped", "Lines dropped", &self.lines_dropped);
        all.family("source_lines", "Lines looked at, by source", &self.source_lines);
        let help = "Lines that a scenario took, by source";
        all.family("source_lines_matched", help, &self.source_lines_matched);
        all.family("lines_cut", "Lines longer than the limit", &self.lines_cut);
        all.family("source_up", "1 when the source receives", &self.source_up);
        let help = "When the last line was received, since 1970";
        all.family_in(Unit::Seconds, "last_line_timestamp", help, &self.last_line);
        let help = "After how long without a line the source counts as silent";
        all.family_in(Unit::Seconds, "source_silent_after", help, &self.silent_after);
        let help = "How far the sender's clock that is farthest off is ahead of arrival";
        all.family_in(Unit::Seconds, "clock_skew", help, &self.clock_skew);
        let help = "Lines whose time was too far from their arrival to be believed";
        all.family("skewed_lines", help, &self.skewed_lines);
        all.family("senders", "Senders over the network", &self.senders);
        all.family("connections_accepted", "Connections accepted", &self.connections_accepted);
        all.family("connections_refused", "Connections not served", &self.connections_refused);
        let help = "Connections that the kernel could not give";
        all.family("accept_errors", help, &self.accept_errors);
        let help = "When the certificate of a source expires, since 1970";
        all.family_in(
            Unit::Seconds,
            "certificate_expiry_timestamp",
            help,
            &self.certificate_expiry,
        );
        all.family("connections", "Connections open now", &self.connections);
    }

    fn parsing(&self, all: &mut Table<'_>) {
        all.family("lines", "Lines by label, program and outcome", &self.lines);
        all.family("lines_matched", "Lines that a scenario took", &self.lines_matched);
        let help = "Programs seen, by the best that became of any of their lines";
        all.family("programs", help, &self.programs);
        all.family("parser_hits", "Events that a parser's filter took", &self.parser_hits);
        let help = "Events that a parser's filter took and the parser could not read";
        all.family("parser_failures", help, &self.parser_failures);
        let help = "Expressions of rules that could not be evaluated";
        all.family("expression_faults", help, &self.faults);
    }

    fn detection(&self, all: &mut Table<'_>) {
        all.family("poured", "Events poured into buckets", &self.poured);
        all.family("overflowed", "Buckets that overflowed", &self.overflowed);
        all.family("underflowed", "Buckets that leaked dry", &self.underflowed);
        all.family("cancelled", "Buckets that their scenario called off", &self.cancelled);
        let help = "Overflows that their scenario did away with";
        all.family("overflows_discarded", help, &self.overflows_discarded);
        all.family("pours_dropped", "Pours that reached no bucket", &self.pours_dropped);
        all.family(
            "overflows_dropped",
            "Overflows that nobody decided on",
            &self.overflows_dropped,
        );
        all.family("buckets", "Buckets held now", &self.buckets_held);
        all.one("buckets_limit", "As many buckets as there may be", &self.buckets_limit);
        all.family("buckets_evicted", "Buckets given up at the limit", &self.evicted);
    }

    fn decisions(&self, all: &mut Table<'_>) {
        all.family("decisions", "Decisions made", &self.decisions);
        all.one("decisions_extended", "Decisions that were prolonged", &self.extended);
        let help = "Overflows of those whose decision lasts long enough already";
        all.one("decisions_held", help, &self.held);
        all.family("decisions_ended", "Decisions that ended", &self.ended);
        all.family("refused", "Decisions refused", &self.refused);
        let help = "Bans that were shortened or only observed, by what kept them";
        all.family("bans_limited", help, &self.limited);
        let help = "Bans that last longer because of those before them";
        all.one("bans_escalated", help, &self.escalated);
        let help = "Bans of a network in place of an address in it";
        all.one("bans_widened", help, &self.widened);
        let help = "Prefixes that took the place of banned neighbours";
        all.one("bans_merged", help, &self.merged);
        all.family("guarded", "Addresses that must not be locked out", &self.guarded);
        all.one("brake", "1 when scenarios are kept from banning", &self.brake);
        all.family("active_decisions", "Decisions in force now", &self.active);
        all.one("ledger_errors", "Failures to write the ledger", &self.ledger_errors);
        let help = "Decisions that are in memory only";
        all.one("ledger_unsaved_decisions", help, &self.ledger_unsaved);
        all.one_in(Unit::Bytes, "ledger_size", "Size of the ledger on disk", &self.ledger_size);
    }

    fn friends_and_lists(&self, all: &mut Table<'_>) {
        let help = "Names on the allowlist, by whether they have an address now";
        all.family("allowlist_names", help, &self.allowlist_names);
        all.family("list_entries", "Entries of a list that is followed", &self.list_entries);
        all.family("list_up", "1 when the list could be read the last time", &self.list_up);
    }

    fn daemon(&self, all: &mut Table<'_>) {
        all.one("enforcing", "1 when bans reach the kernel", &self.enforcing);
        all.family("queue_length", "What waits in a queue", &self.queue_length);
        all.family("queue_capacity", "What a queue has room for", &self.queue_capacity);
        all.family("queue_full", "Times that something found a queue full", &self.queue_full);
        let help = "From the receipt of lines to a worker";
        all.one_in(Unit::Seconds, "receive_to_parse", help, &*self.receive_to_parse);
        let help = "From the receipt of a line to the decision on disk";
        all.one_in(Unit::Seconds, "receive_to_decision", help, &*self.receive_to_decision);
        all.family("reloads", "Reloads of the configuration", &self.reloads);
        let help = "1 when the last reload worked";
        all.one("config_last_reload_successful", help, &self.reloaded);
        let help = "When configuration and rules were taken over last, since 1970";
        all.one_in(Unit::Seconds, "config_last_reload_success_timestamp", help, &self.reloaded_at);
        all.family("rules", "Rules loaded", &self.rules);
        let help = "Rule files left out because of mistakes";
        all.one("rules_rejected", help, &self.rules_rejected);
        all.one("ready", "1 when nothing keeps Weir from its work", &self.ready);
        let help = "How long the scrape before this one took";
        all.one_in(Unit::Seconds, "scrape_duration", help, &self.scrape);
    }
}
