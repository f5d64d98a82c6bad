//! The page in a real browser, beside a real daemon under traffic.

use std::time::Duration;

use crate::browser::Browser;
use crate::network::{Network, possible};
use crate::weir::{Weir, failed_login, wait_for};

const PAGE: &str = "http://127.0.0.1:9514/";
/// What would run if it were taken for markup.
const MARKUP: &str = "<img src=x onerror=window.owned=1><svg onload=window.owned=1>";
const SCRIPT: &str = "</script><script>window.owned=1</script>";
/// Nothing that was sent became an element, and nothing of it ran.
const INNOCENT: &str = "window.owned === undefined && !document.querySelector('img, iframe, svg[onload]') \
                        && document.scripts.length === 1 && (window.violations ?? []).length === 0";

/// The text of the row of a ban, and of what it was opened to.
fn ban(address: &str) -> String {
    format!(
        "[...document.querySelectorAll('#bans tbody')].find((one) => one.innerText.includes('{address}'))"
    )
}

fn program(name: &str) -> String {
    format!(
        "[...document.querySelectorAll('#coverage tbody')].find((one) => one.querySelector('th').innerText === '{name}')"
    )
}

/// Lines of an attack and of programs that nobody knows, some of them in bad faith.
fn traffic(weir: &Weir<'_>, round: u32) {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for address in ["198.51.100.7", "198.51.100.9", "2001:db8:1::7"] {
        lines.extend((0..6).map(|_| failed_login(address).into_bytes()));
    }
    for n in 0..20 {
        let at = format!("Nov 22 10:{round:02}:{n:02} host");
        lines.push(format!("<30>{at} shop[12]: order {n} {MARKUP} {SCRIPT}").into_bytes());
        lines.push(format!("<30>{at} backup: {n} files \u{202e}copied\u{7}").into_bytes());
        lines.push(
            format!("<38>{at} sshd[81]: Failed password to {MARKUP} from 192.0.2.7").into_bytes(),
        );
    }
    weir.send_udp(lines);
}

#[test]
fn a_page_in_the_browser_shows_what_is_and_runs_nothing_of_it() {
    if !possible(&["ip", "nft", "chromium"]) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "allowlist: { defaults: false, host: false }");
    let mut browser = Browser::open(&network);

    // Before the first line it says what to do.
    browser.look(1280, 900, "light");
    browser.visit(PAGE);
    browser.wait("document.querySelector('#state').innerText === 'All is well.'");
    browser.wait(
        "document.querySelector('#sources-empty').innerText.includes('No line has arrived yet')",
    );
    browser.wait("document.querySelector('#bans-empty').innerText.includes('weir replay')");
    browser.shoot("empty");

    traffic(&weir, 1);
    let banned = weir.ask(&["ban", "203.0.113.99", "--for", "1h", "--reason", MARKUP]);
    assert!(banned.status.success(), "{banned:?}");
    wait_for("the bans", || (weir.listed().len() == 4).then_some(()));

    // Without the token: who is banned, and no word of what the log says. It came by itself.
    browser.wait(&format!("{}.innerText.includes('weir/ssh-bf')", ban("198.51.100.7")));
    browser.wait(&format!("{}.innerText.includes('onerror=window.owned=1')", ban("203.0.113.99")));
    browser.value(&format!("{}.querySelector('button').click()", ban("198.51.100.7")));
    browser.wait(&format!("{}.innerText.includes('sudo weir page')", ban("198.51.100.7")));
    assert_eq!(browser.value("document.body.innerText.includes('Failed password')"), false);
    assert_eq!(browser.value(INNOCENT), true);
    browser.shoot("locked");

    // With it, as `weir page` prints it: all that led to it.
    let page = weir.ask(&["page"]);
    let url = String::from_utf8(page.stdout).unwrap();
    assert!(url.starts_with(&format!("{PAGE}#token=")), "{url}");
    // Into the address line of the page that is open already.
    browser.tell("Page.navigate", serde_json::json!({ "url": url.trim() }));
    browser.wait("document.querySelector('#unlock').hidden");
    // The token does not stay in the address.
    browser.wait(&format!("location.href === '{PAGE}'"));
    let why = ban("198.51.100.7");
    browser.wait(&format!("{why}.querySelector('button')"));
    browser.value(&format!("{why}.querySelector('button').click()"));
    browser.wait(&format!("{why}.querySelector('.lines').innerText.includes('Failed password for root from 198.51.100.7')"));
    browser.wait(&format!("{why}.innerText.includes('nftables has 198.51.100.7 for')"));
    browser.wait(&format!("{why}.innerText.includes('holds')"));
    assert_eq!(browser.value(&format!("{why}.querySelector('button').ariaExpanded")), "true");
    assert_eq!(browser.value(INNOCENT), true);

    // The nearest rule, and a line in bad faith as the text that it is.
    let shop = program("shop");
    browser.wait(&format!("{shop}.querySelector('button')"));
    browser.value(&format!("{shop}.querySelector('button').click()"));
    browser
        .wait(&format!("{shop}.innerText.includes('{MARKUP} {}')", SCRIPT.replace("</", "<\\/")));
    browser.wait(&format!("{shop}.innerText.includes('weir explain --last shop')"));
    browser.wait(&format!("{}.innerText.includes('nearest is weir/sshd')", program("sshd")));
    let backup = program("backup");
    browser.value(&format!("{backup}.querySelector('button').click()"));
    browser.wait(&format!("{backup}.innerText.includes('files \\\\u{{202e}}copied\\\\u{{7}}')"));
    assert_eq!(browser.value(INNOCENT), true);
    browser.shoot("light");

    // What comes is shown without being asked for, and what is open stays open.
    let lines = "document.querySelector('#rates .unit').innerText";
    let before = browser.value(lines);
    traffic(&weir, 2);
    browser.wait(&format!("{lines} !== {before}"));
    browser.wait(&format!("{why}.querySelector('.lines')"));
    browser.wait("[...document.querySelectorAll('#sources td')].some((one) => one.querySelector('svg path')?.getAttribute('d').length > 20)");

    // By keyboard: `/`, an address, and `Escape` to have all again.
    browser.value("document.activeElement.blur()");
    browser.press("/");
    assert_eq!(browser.value("document.activeElement.id"), "search");
    browser.write("2001:db8");
    browser.wait("document.querySelectorAll('#bans tbody').length === 1");
    browser.wait("document.querySelector('#bans').innerText.includes('2001:db8:1::')");
    browser.press("Escape");
    browser.wait("document.querySelectorAll('#bans tbody').length === 4");
    browser.write("weir/ssh");
    browser.wait("document.querySelectorAll('#bans tbody').length === 3");
    browser.press("Escape");
    browser.write("192.0.2.200");
    browser.wait(
        "document.querySelector('#bans-empty').innerText.includes('What is known of 192.0.2.200?')",
    );
    browser.press("Escape");
    browser.wait("document.querySelectorAll('#bans tbody').length === 4");
    for _ in 0..3 {
        browser.press("Tab");
    }
    assert_eq!(browser.value("document.activeElement.innerText"), "why");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outline), "solid", "one sees where the focus is");
    browser.press("Enter");
    browser.wait("document.activeElement.ariaExpanded === 'true'");

    // Dark where that is wished for, and no wider than a phone.
    let background = "getComputedStyle(document.documentElement).backgroundColor";
    let light = browser.value(background);
    browser.look(1280, 900, "dark");
    assert_ne!(browser.value(background), light);
    browser.shoot("dark");
    browser.look(390, 844, "light");
    assert_eq!(browser.value("document.documentElement.scrollWidth <= 390"), true);
    browser.shoot("phone");

    // Nothing was asked of anybody else, nothing was forbidden, nothing failed.
    let mut asked = 0;
    for sent in browser.told("Network.requestWillBeSent") {
        let url = sent["request"]["url"].as_str().unwrap();
        assert!(url.starts_with(PAGE) || url == "about:blank", "{url}");
        assert!(!url.contains("token"), "{url}");
        asked += 1;
    }
    assert!(asked > 10, "{asked}");
    assert_eq!(browser.value(INNOCENT), true);
    assert!(
        browser.told("Runtime.exceptionThrown").is_empty(),
        "{:?}",
        browser.told("Runtime.exceptionThrown")
    );
    let logged = browser.told("Log.entryAdded").into_iter();
    // That lines are hidden is status 403, which the browser notes.
    let logged: Vec<_> =
        logged.filter(|entry| !entry["entry"]["text"].as_str().unwrap().contains("403")).collect();
    assert!(logged.is_empty(), "{logged:?}");

    // Who looks learns it when the daemon is gone.
    assert!(weir.metric("weir_event_listeners", &[]) >= 1.0);
    assert!(weir.terminate().success());
    browser.wait("document.querySelector('#state').innerText.includes('does not answer')");
    browser.shoot("gone");
}

#[test]
fn many_bans_are_shown_page_by_page() {
    if !possible(&["ip", "nft", "chromium"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "enforce: { backend: observe }");
    let list: String = (0..3_000).map(|n| format!("11.0.{}.{}\n", n / 250, n % 250)).collect();
    let file = weir.folder.join("many.txt");
    std::fs::write(&file, list).unwrap();
    let imported = weir.ask(&["import", file.to_str().unwrap(), "--for", "1h"]);
    assert!(imported.status.success(), "{imported:?}");
    let mut browser = Browser::open(&network);
    browser.visit(PAGE);
    let said = "document.querySelector('#bans-count').innerText";
    browser.wait(&format!("{said} === '1–50 of 3,000'"));
    assert_eq!(browser.value("document.querySelectorAll('#bans tbody').length"), 50);
    browser.value("document.querySelector('#older').click()");
    browser.wait(&format!("{said} === '51–100 of 3,000'"));
    browser.value("document.querySelector('#newer').click()");
    browser.wait(&format!("{said} === '1–50 of 3,000'"));
    browser.value("document.querySelector('#search').focus()");
    browser.write("11.0.7.");
    browser.wait(&format!("{said} === '1–50 of 250'"));
    // It stays so while events come.
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(browser.value(said), "1–50 of 250");
}
