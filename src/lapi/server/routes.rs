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
];

/// Paths with a number behind them.
const NUMBERED: &[(&str, &str)] = &[("/v1/decisions/", "decisions"), ("/v1/alerts/", "alerts")];

/// As what a path is counted.
pub(super) fn counted_as(path: &str) -> &'static str {
    let found = PATHS.iter().find(|(known, _)| *known == path);
    let numbered = || NUMBERED.iter().find(|(known, _)| path.starts_with(known));
    found.or_else(numbered).map_or("other", |(_, name)| name)
}

/// Whether there is such a path.
pub(super) fn is_known(path: &str) -> bool {
    PATHS.iter().any(|(known, _)| *known == path)
}
