//! The paths that there are, and the names by which they are counted.

/// Paths without parameters.
const PATHS: &[(&str, &str)] = &[
    ("/health", "other"),
    ("/v1/decisions", "decisions"),
    ("/v1/decisions/stream", "stream"),
    ("/v1/alerts", "alerts"),
    ("/v1/usage-metrics", "usage-metrics"),
    ("/v1/watchers/login", "login"),
    ("/v1/refresh_token", "login"),
    ("/v1/heartbeat", "heartbeat"),
    ("/v1/watchers", "watchers"),
    ("/v1/watchers/self", "watchers"),
    ("/v1/allowlists", "allowlists"),
    ("/v1/allowlists/check", "allowlists"),
];

/// What stands before a parameter, in which there is no slash.
const WITH_PARAMETER: &[(&str, &str)] = &[
    ("/v1/decisions/", "decisions"),
    ("/v1/alerts/", "alerts"),
    ("/v1/allowlists/", "allowlists"),
    ("/v1/allowlists/check/", "allowlists"),
];

/// As what a path is counted.
pub(super) fn counted_as(path: &str) -> &'static str {
    find(path).unwrap_or("other")
}

/// Whether there is such a path.
pub(super) fn is_known(path: &str) -> bool {
    find(path).is_some()
}

fn find(path: &str) -> Option<&'static str> {
    let is_parameter = |text: &str| !text.is_empty() && !text.contains('/');
    let exact = PATHS.iter().find(|(known, _)| *known == path);
    let other = || {
        WITH_PARAMETER
            .iter()
            .find(|(before, _)| path.strip_prefix(before).is_some_and(is_parameter))
    };
    exact.or_else(other).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(find(path), expected, "{path}");
    }

    #[test]
    fn parameters_are_one_part() {
        check("/v1/decisions", Some("decisions"));
        check("/v1/allowlists/office", Some("allowlists"));
        check("/v1/allowlists/check/192.0.2.0%2F24", Some("allowlists"));
        check("/v1/allowlists/check/192.0.2.0/24", None);
        check("/v1/allowlists/", None);
        check("/v1/decisions/", None);
        check("/v1/decisions/7", Some("decisions"));
        check("/v1/alerts/7/8", None);
    }
}
