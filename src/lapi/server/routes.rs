//! The paths that there are, and the names by which they are counted.

/// Paths without parameters.
const PATHS: &[(&str, &str)] = &[
    ("/health", "other"),
    ("/v1/decisions", "decisions"),
    ("/v1/decisions/stream", "stream"),
    ("/v1/usage-metrics", "usage-metrics"),
    ("/v1/watchers/login", "login"),
    ("/v1/refresh_token", "login"),
    ("/v1/heartbeat", "heartbeat"),
    ("/v1/watchers", "watchers"),
    ("/v1/watchers/self", "watchers"),
];

/// As what a path is counted.
pub(super) fn counted_as(path: &str) -> &'static str {
    let found = PATHS.iter().find(|(known, _)| *known == path);
    found.map_or("other", |(_, name)| name)
}

/// Whether there is such a path.
pub(super) fn is_known(path: &str) -> bool {
    PATHS.iter().any(|(known, _)| *known == path)
}
