//! `weir demo`: see it work, on this machine, now.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::{Exit, Global, asking, complete};
use crate::control::{Client, Listing};
use crate::daemon::{self, Daemon, Plan};
use crate::decision::Family;
use crate::enforce::{Backend as _, Nftables, NftablesOptions};
use crate::intake::spec::Listen;
use crate::settings::{Folders, Http, Settings};
use crate::system::{clock, namespace};

/// Attack a daemon of its own and show what it does
///
/// Starts a daemon on private ports, as root in a network namespace of its own, sends it an attack
/// over IPv4 and IPv6 through real sockets, and shows the bans as the kernel holds them. Nothing of
/// this host is changed. Without root the bans are shown, and not carried out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir demo
  sudo weir demo     with real bans, in a network namespace")]
pub struct Demo {}

/// Where the demonstration listens when it shares the network of this host.
const LINES: &str = "127.0.0.1:15514";
const PAGES: &str = "127.0.0.1:19514";
/// Who attacks: addresses that are reserved for documentation.
const SSH_ATTACKER: &str = "203.0.113.7";
const MAIL_ATTACKER: &str = "2001:db8:bad::7";
const PROBER: &str = "198.51.100.9";
/// How long the daemon may take to ban all three.
const PATIENCE: Duration = Duration::from_secs(10);

impl Demo {
    #[expect(clippy::unused_self, reason = "every command runs in the same way")]
    pub(super) fn run(self, _: &Global) -> anyhow::Result<Exit> {
        // Before anything starts a thread.
        let is_apart = namespace::enter_new_network().is_ok();
        let folder = Folder::new()?;
        let plan = plan(&folder.0)?;
        let control = plan.settings.clone().place(&plan.folders).control;

        say("Weir, in a minute")?;
        tell(&if is_apart {
            "A network namespace of its own was made: nothing of this host is touched.".to_owned()
        } else {
            "No network namespace may be made here (run it as root to see real bans): the daemon \
             runs on private ports of this host, in observe mode."
                .to_owned()
        })?;
        let runtime = daemon::runtime()?;
        // Whoever starts a daemon gives up the right to change the firewall; this thread asks the
        // kernel for its sets later.
        let start = || Daemon::start(Plan { observe: !is_apart, ..plan }, runtime);
        let daemon = std::thread::scope(|scope| scope.spawn(start).join());
        let daemon = daemon.expect("a thread that panics ends the process")?;
        let ready = wait_until(|| daemon.readiness().problems.is_empty());
        anyhow::ensure!(ready, "the daemon did not get ready: {:?}", daemon.readiness().problems);
        tell(&format!("A daemon listens on {LINES} (UDP and TCP) and on a Unix socket."))?;

        say("The attack")?;
        let begun = clock::instant();
        attack(&folder.0.join("weir.sock"))?;

        let mut client = Client::open(&control)?;
        let mut rows = Vec::new();
        let all = wait_until(|| {
            rows = client.list(&Listing::default()).unwrap_or_default();
            rows.len() == 3
        });
        let took = begun.elapsed();
        say("Who is banned, and why: `weir list`")?;
        complete(&asking::table(&rows))?;
        anyhow::ensure!(all, "expected three bans within {PATIENCE:?}, found {}", rows.len());
        tell(&format!("All of it took {} ms, from the first line on.", took.as_millis()))?;

        if is_apart {
            say("The same, as the kernel has it: `nft list table inet weir`")?;
            show_kernel()?;
        }
        say("Metrics for Prometheus: /metrics")?;
        show_metrics()?;
        say("What next?")?;
        for line in NEXT {
            tell(line)?;
        }
        daemon.stop();
        Ok(Exit::Success)
    }
}

const NEXT: [&str; 4] = [
    "weir replay /var/log/auth.log    what would have been banned by the log you have",
    "weir run                         the daemon: listens on 127.0.0.1:5514, bans for four hours",
    "weir explain FILE                what the rules make of a line, and why",
    "README.md                        ten minutes on a server that runs rsyslog",
];

/// A folder that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("weir-demo-{}", std::process::id()));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make the folder `{}`", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is small, and in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The shipped rules and the defaults, on ports and in a folder of its own. The configuration of
/// this host plays no part.
fn plan(folder: &Path) -> anyhow::Result<Plan> {
    let mut settings = Settings::default();
    let lines = LINES.parse()?;
    for source in &mut settings.sources {
        match &mut source.listen {
            Listen::Udp(at) | Listen::Tcp(at) | Listen::Relp(at) => *at = lines,
            _ => {}
        }
    }
    settings.http = Some(Http { listen: PAGES.parse()?, ..Http::default() });
    settings.rules.folders.clear();
    let folders = Folders { state: folder.to_owned(), run: folder.to_owned() };
    Ok(Plan { config: None, settings, folders, observe: false, strict: false })
}

/// Sends lines as rsyslog and programs do: six failed SSH logins by UDP, six failed IMAP logins
/// by TCP with octet counts, a web request to a mail server by the Unix socket; and some lines
/// that nobody should be banned for.
fn attack(socket: &Path) -> anyhow::Result<()> {
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    for port in 40_001..=40_006 {
        let line = format!(
            "<38>Nov 22 10:00:00 demo sshd[811]: Failed password for root from {SSH_ATTACKER} port {port} ssh2"
        );
        udp.send_to(line.as_bytes(), LINES)?;
    }
    let innocent = "<38>Nov 22 10:00:00 demo sshd[812]: Accepted publickey for deploy from 192.0.2.4 port 40007 ssh2";
    udp.send_to(innocent.as_bytes(), LINES)?;
    tell(&format!("6 failed SSH logins from {SSH_ATTACKER}, over UDP"))?;

    let mut tcp = TcpStream::connect(LINES)?;
    for _ in 0..6 {
        let line = format!(
            "<22>1 2026-11-22T10:00:00Z demo dovecot - - - imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip={MAIL_ATTACKER}, lip=2001:db8::1, TLS, session=<abc>"
        );
        write!(tcp, "{} {line}", line.len())?;
    }
    tell(&format!("6 failed IMAP logins from {MAIL_ATTACKER}, over TCP"))?;

    let unix = UnixDatagram::unbound()?;
    let line = format!(
        "<22>Nov 22 10:00:00 postfix/smtpd[813]: warning: non-SMTP command from unknown[{PROBER}]: GET / HTTP/1.1"
    );
    unix.send_to(line.as_bytes(), socket)?;
    tell(&format!("1 web request to a mail server from {PROBER}, over a Unix socket"))
}

/// The elements, asked of the kernel over a socket of their own.
fn show_kernel() -> anyhow::Result<()> {
    let options = NftablesOptions::from(&Settings::default().enforce);
    let mut kernel = Nftables::open(options)?;
    let mut held = Vec::new();
    wait_until(|| {
        held = kernel.list().unwrap_or_default();
        held.len() >= 3
    });
    let now = clock::now();
    for found in &held {
        let set = match found.element.family() {
            Family::V4 => "ban4",
            Family::V6 => "ban6",
        };
        let left = found.until.map_or(0, |until| until.since(now) / 1_000_000_000);
        let left = asking::span(u64::try_from(left).unwrap_or(0));
        tell(&format!("set {set}: {} expires in {left}", found.element.first()))?;
    }
    anyhow::ensure!(held.len() == 3, "expected three elements, found {}", held.len());
    Ok(())
}

fn show_metrics() -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(PAGES)?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let wanted = ["weir_decisions_total", "weir_lines_received_total", "weir_enforce_elements{"];
    let lines = page.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    for line in lines {
        tell(line)?;
    }
    Ok(())
}

fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let deadline = clock::instant() + PATIENCE;
    while !done() {
        if clock::instant() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn say(heading: &str) -> anyhow::Result<()> {
    complete(&format!("\n{heading}\n"))
}

fn tell(line: &str) -> anyhow::Result<()> {
    complete(&format!("  {line}\n"))
}
