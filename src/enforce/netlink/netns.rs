//! Network namespaces for tests: each test has a kernel of its own, as far as networks go.

use std::io::Write as _;

/// Runs `test` on a fresh thread in a fresh network namespace.
///
/// Where that is not permitted the test is skipped with a loud line, and fails when the
/// environment has `WEIR_REQUIRE_KERNEL=1`.
pub(in crate::enforce) fn isolated(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if enter() {
                test();
            }
        });
    });
}

/// Moves the calling thread into a fresh network namespace; false when not permitted.
pub(in crate::enforce) fn enter() -> bool {
    // SAFETY: plain call without pointers; it changes only the calling thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0 {
        return true;
    }
    let reason = std::io::Error::last_os_error();
    // Not `eprintln!`, which the test harness holds back for tests that pass.
    let _ = writeln!(std::io::stderr(), "SKIPPED: needs CAP_NET_ADMIN ({reason})");
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting")]
    let is_required = std::env::var("WEIR_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
    assert!(!is_required, "WEIR_REQUIRE_KERNEL=1, but network namespaces are not permitted");
    false
}

/// Takes all capabilities from the calling thread, as if it were not root's.
pub(in crate::enforce) fn renounce() {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let none = [0_u32; 6];
    // SAFETY: `header` and `none` have the layout of `cap_user_header_t` and of two
    // `cap_user_data_t`, which version 3 reads; both live through the call, which only reads.
    let failed = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    assert_eq!(failed, 0, "capabilities can always be given up");
}

/// The calling thread's number, by which `ip` finds its namespace.
pub(in crate::enforce) fn thread_id() -> libc::pid_t {
    // SAFETY: plain call without pointers.
    unsafe { libc::gettid() }
}

/// Runs a program in the calling thread's namespace and returns what it prints.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "tests look through tools that are not ours")]
pub(in crate::enforce) fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let output = std::process::Command::new(program)
        .args(words)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("`{line}` does not start: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` failed: {errors}");
    String::from_utf8(output.stdout).expect("tools print UTF-8")
}

/// Whether a program in the calling thread's namespace says that all is well.
#[expect(clippy::disallowed_methods, reason = "tests look through tools that are not ours")]
pub(in crate::enforce) fn succeeds(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let output = std::process::Command::new(words.next().expect("a program"))
        .args(words)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output();
    output.expect("it starts").status.success()
}
