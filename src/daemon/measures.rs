//! How far bans go, from the settings' words to the judge's.

use std::time::Duration;

use crate::decide::{BrakeRules, Escalation, GuardRules, Level, Levels, Measures, Merge};
use crate::detect::Scenario;
use crate::intake::spec::{Listen, Source};
use crate::rules::Ruleset;
use crate::settings::Settings;

/// What the settings say.
pub(super) fn of(settings: &Settings) -> Measures {
    let level = |&(length, at): &(u8, usize)| Level { length, at };
    let prefixes = &settings.prefixes;
    Measures {
        escalation: settings.escalation.map(|escalation| Escalation {
            factor: escalation.factor,
            most: nanos(escalation.most),
            decay: nanos(escalation.decay),
            jitter: escalation.jitter,
        }),
        levels: Levels::new(
            prefixes.ipv4.iter().map(level).collect(),
            prefixes.ipv6.iter().map(level).collect(),
            nanos(prefixes.within),
        ),
        count: prefixes.count,
        merge: prefixes.merge.map(|merge| Merge {
            at: merge.at,
            widest_v4: merge.widest,
            widest_v6: merge.widest_ipv6,
        }),
        guard: settings
            .guard
            .as_ref()
            .map(|guard| GuardRules { span: nanos(guard.span), connection: nanos(STALE) }),
        brake: settings.brake.map(|brake| BrakeRules {
            bans: brake.bans,
            per: nanos(brake.per),
            well_behaved: brake.well_behaved,
        }),
        spoofable: settings.spoofable,
    }
}

/// What is worth knowing about rules whose sources are easily forged and sources that cannot tell
/// who sent a line: both together let anybody have anybody banned.
pub(super) fn remarks(settings: &Settings, ruleset: &Ruleset) -> Vec<String> {
    let bans_by_degree = |scenario: &&Scenario| {
        let most = settings.spoofable.get(usize::from(scenario.spoofable));
        scenario.spoofable >= FORGED
            && scenario.remediation
            && !scenario.simulated
            && most.is_none_or(|most| most.is_full())
    };
    let count = ruleset.scenarios().iter().filter(bans_by_degree).count();
    if count == 0 {
        return Vec::new();
    }
    let is_open = |source: &&Source| match source.listen {
        Listen::Udp(address) => !address.ip().is_loopback() && source.bans.is_full(),
        _ => false,
    };
    let told = settings.sources.iter().filter(is_open).map(|source| {
        format!(
            "{count} scenarios whose sources are easily forged ban by lines of the UDP source \
             `{}`: limit the source (`bans: observe`) or them (`spoofable: {{{FORGED}: observe}}`)",
            source.name
        )
    });
    told.collect()
}

/// The degree from which a rule says that its sources are easily forged.
const FORGED: u8 = 2;

/// After a look at the connections that was the last one, whoever was connected is guarded for this
/// long: a few looks may fail.
const STALE: Duration = Duration::from_secs(120);

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::UserFile;
    use crate::rules::{self, Request};
    use crate::settings::from_files;
    use crate::value::Time;

    /// What is remarked of a rule of this degree, with these settings.
    #[track_caller]
    fn check(degree: u8, settings: &str, expected: usize) {
        let folder = tempfile::tempdir().unwrap();
        let scenario = format!(
            "type: trigger\nname: scan\ndescription: d\nfilter: evt.Meta.log_type == 'scan'\n\
             groupby: evt.Meta.source_ip\nlabels: {{spoofable: {degree}, remediation: true}}\n"
        );
        std::fs::create_dir_all(folder.path().join("scenarios")).unwrap();
        std::fs::write(folder.path().join("scenarios/scan.yaml"), scenario).unwrap();
        let request = Request { folders: vec![folder.path().to_owned()], ..Request::default() };
        let (ruleset, mistakes) = rules::load(request, None, Time::from_seconds(0));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let file = UserFile::new(std::path::Path::new("weir.yaml"), settings.to_owned());
        let (settings, _) = from_files(&[file]);
        assert_eq!(remarks(&settings, &ruleset).len(), expected, "{degree} {settings:?}");
    }

    #[test]
    fn forged_sources_over_a_transport_that_is_forged_are_remarked() {
        let open = "sources: [{udp: '0.0.0.0:514'}]";
        check(3, open, 1);
        check(1, open, 0);
        check(3, "sources: [{udp: '127.0.0.1:514'}]", 0);
        check(3, "sources: [{tcp: '0.0.0.0:514'}]", 0);
        check(3, "sources: [{udp: '0.0.0.0:514', bans: 10m}]", 0);
        check(3, "sources: [{udp: '0.0.0.0:514'}]\nspoofable: {2: observe}", 0);
    }
}
