// The page of a running Weir. It asks /api/ and shows what is answered; it changes nothing.
//
// What must hold: all that comes from outside (lines, programs, reasons, senders) is put in as text,
// never as markup. Characters that hide or turn text around are shown by their numbers.

const PER_PAGE = 50;
const POINTS = 60;
const $ = (id) => document.getElementById(id);

// ---- Text

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const printable = (text) =>
  String(text ?? "").replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
const number = new Intl.NumberFormat("en");
const count = (n) => number.format(n ?? 0);
const rate = (n) => (Number.isInteger(n) || n >= 10 ? count(Math.round(n)) : n.toFixed(1));
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

function span(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  let rest = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [size, unit] of units) {
    const whole = Math.floor(rest / size);
    rest %= size;
    if (whole > 0) parts.push(`${whole}${unit}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0s";
}

// A word as a shell takes it, for commands that are copied.
const quoted = (word) =>
  /^[A-Za-z0-9_.\/:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function clock(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return printable(text);
  const two = (n) => String(n).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

// ---- Elements

function el(name, attributes, ...inner) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const one of inner.flat(Infinity)) {
    if (one === null || one === undefined) continue;
    node.append(one instanceof Node ? one : printable(one));
  }
  return node;
}

function put(node, text) {
  const shown = printable(text);
  if (node.textContent !== shown) node.textContent = shown;
}

// Brings the keyed children of a node in line with a list; those that stay are not touched, so that
// focus and selection stay.
function patch(parent, items, key, make, update) {
  const keyed = [...parent.children].filter((node) => node.dataset.key !== undefined);
  const wanted = new Set(items.map((item) => String(key(item))));
  const known = new Map();
  for (const node of keyed) {
    if (wanted.has(node.dataset.key)) known.set(node.dataset.key, node);
    else node.remove();
  }
  let at = [...parent.children].find((node) => node.dataset.key !== undefined) ?? null;
  for (const item of items) {
    const name = String(key(item));
    let node = known.get(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    update(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
}

const cell = (name, attributes, ...inner) => {
  const node = el("td", { role: "cell", ...attributes }, ...inner);
  if (name) node.dataset.name = name;
  return node;
};
const row = (...cells) => el("tr", { role: "row" }, ...cells);

// A row that can be opened: a button, and a second row with what it shows.
function opener(label, id, columns, fill) {
  const more = el("td", { role: "cell", colspan: columns });
  const tr = el("tr", { role: "row", class: "more", id, hidden: "" }, more);
  const button = el("button", {
    type: "button", "aria-expanded": "false", "aria-controls": id,
    onclick: () => {
      tr.hidden = !tr.hidden;
      button.setAttribute("aria-expanded", String(!tr.hidden));
      if (!tr.hidden) fill(more);
    },
  }, label);
  return { button, tr, more };
}

function spark() {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(NS, "path"));
  return svg;
}

function draw(svg, values) {
  const most = Math.max(1e-9, ...values);
  const step = 100 / (POINTS - 1);
  const from = 100 - (values.length - 1) * step;
  const points = values.map((v, i) => `${(from + i * step).toFixed(1)} ${(19 - 18 * (v / most)).toFixed(1)}`);
  svg.firstChild.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
}

const command = (text) => el("code", { class: "command" }, text);
const fact = (name, value, kind) => ({ name, value, kind });

// ---- Asking

let token = sessionStorage.getItem("token");

// Takes the token out of the address, whether the page is opened by the link or already open.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  token = given;
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
  return true;
}

takeToken();
let seesLines = false;

const headers = () => (token ? { authorization: `Bearer ${token}` } : {});

async function ask(path, words) {
  const url = new URL(`/api/${path}`, location.origin);
  for (const [key, value] of Object.entries(words ?? {})) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(key, value);
  }
  const signal = AbortSignal.timeout(20000);
  const answer = await fetch(url, { headers: headers(), cache: "no-store", signal });
  const text = await answer.text();
  let reply = {};
  try {
    reply = JSON.parse(text);
  } catch {
    reply = { message: text.trim() };
  }
  if (!answer.ok) throw Object.assign(new Error(reply.message || `status ${answer.status}`), { status: answer.status });
  return reply;
}

async function look() {
  try {
    seesLines = (await ask("sight")).lines;
  } catch (error) {
    seesLines = false;
    if (error.status !== 401) throw error;
    token = null;
    sessionStorage.removeItem("token");
    put($("token-said"), "This token is not taken: the daemon makes a new one at each start.");
  }
  $("unlock").hidden = seesLines;
  if (seesLines) $("token-form").hidden = true;
}

$("unlock").addEventListener("click", () => {
  const form = $("token-form");
  form.hidden = !form.hidden;
  $("unlock").setAttribute("aria-expanded", String(!form.hidden));
  if (!form.hidden) $("token").focus();
});
$("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  put($("token-said"), "");
  try {
    await look();
  } catch {
    put($("token-said"), "The daemon does not answer.");
  }
  if (!seesLines) return;
  sessionStorage.setItem("token", token);
  $("token").value = "";
  $("search").focus();
  cover();
});

// The link, followed in a page that is open: what was asked without the token is asked again.
window.addEventListener("hashchange", () => {
  if (takeToken()) location.reload();
});

// ---- Health

let skew = 0; // The daemon's clock before ours, in milliseconds.
const now = () => Date.now() + skew;
const since = (text) => (now() - Date.parse(text)) / 1000;

function showHealth(status) {
  const { problems, remarks, enforce, rules, ledger } = status;
  put($("about"), `${status.version} on ${location.host}, up ${span(status.uptime_seconds)}`);
  const title = problems.length ? `(${problems.length}) Weir` : "Weir";
  if (document.title !== title) document.title = title;
  const state = $("state");
  put(state, problems.length ? plural(problems.length, "problem", "problems")
    : enforce.is_enforcing ? (remarks.length ? `Works, with ${plural(remarks.length, "remark", "remarks")}.` : "All is well.") : "Works, and bars nobody: observe mode, or flushed.");
  state.className = problems.length ? "bad" : enforce.is_enforcing ? "good" : "warn";
  const said = [...problems.map((text) => ["bad", text]), ...remarks.map((text) => ["warn", text])];
  patch($("problems"), said, ([kind, text]) => kind + text,
    ([kind, text]) => el("li", { class: kind }, el("span", null, text)), () => {});
  const of = (action) => status.active.filter((one) => one.action === action).reduce((sum, one) => sum + one.count, 0);
  const brake = status.brake ? "on" : "off";
  const facts = [
    fact("Banned", count(of("ban"))),
    fact("Observed only", count(of("observe"))),
    fact("Kernel", enforce.trouble ? enforce.trouble : enforce.is_enforcing ? `${enforce.backend}: ${plural(enforce.elements, "element", "elements")}` : "not enforced", enforce.trouble ? "bad" : enforce.is_enforcing ? "" : "warn"),
    fact("Drift when last compared", enforce.drift ? plural(enforce.drift, "element", "elements") : "none", enforce.drift ? "warn" : ""),
    fact("Brake", brake, status.brake ? "bad" : ""),
    fact("Ledger", ledger.trouble ? `${count(ledger.unsaved)} unsaved: ${ledger.trouble}` : ledger.failures ? `in step; ${plural(ledger.failures, "failure", "failures")} before` : "in step", ledger.trouble ? "bad" : ""),
    fact("Rules", `${count(rules.parsers)} parsers, ${count(rules.scenarios)} scenarios`, rules.parsers && rules.scenarios ? "" : "bad"),
    fact("Buckets held", count(status.buckets)),
    ...status.lists.map((list) => fact(`List ${list.name}`, list.trouble ?? plural(list.entries, "entry", "entries"), list.trouble ? "bad" : "")),
  ];
  patch($("facts"), facts, (one) => one.name,
    (one) => el("div", null, el("dt", null, one.name), el("dd")),
    (node, one) => {
      put(node.lastChild, one.value);
      node.lastChild.className = one.kind ?? "";
    });
}

// ---- Rates, as the daemon keeps them: nothing is counted here.

function showRates({ sources, lines, overflows, enforce, rates, active }) {
  const received = sources.reduce((all, source) => all + source.lines, 0);
  const since = (n) => `${count(n)} since the start`;
  const standing = active.reduce((all, one) => all + one.count, 0);
  const shown = [
    ["Lines a second", rates.lines.last_10s, rates.lines.series, since(received)],
    ["Not understood a second", rates.unparsed.last_10s, rates.unparsed.series, since(lines.unparsed)],
    ["Bans a minute", rates.bans.last_1m, rates.bans.series, `${count(standing)} now, ${count(overflows)} overflows`],
    ["Packets dropped a second", rates.dropped_packets.last_10s, rates.dropped_packets.series, since(enforce.dropped_packets)],
  ];
  patch($("rates"), shown, ([name]) => name,
    ([name]) => el("div", null, el("dt", null, name), el("dd"), spark(), el("dd", { class: "unit" })),
    (node, [, value, series, unit]) => {
      put(node.children[1], rate(value));
      draw(node.children[2], series);
      put(node.children[3], unit);
    });
}

// ---- Sources

function showSources({ sources, rates }) {
  $("sources").hidden = sources.length === 0;
  patch($("sources"), sources, (source) => source.name, (source) => {
    const { button, tr, more } = opener("senders", `senders-${source.name}`, 9, () => {});
    const body = el("tbody", { role: "rowgroup" },
      row(el("th", { role: "rowheader", scope: "row" }, source.name, " ", el("span", { class: "dim" }, source.at)),
        cell("lines/s", { class: "n" }), cell("", {}, spark()),
        cell("lines", { class: "n" }), cell("dropped", { class: "n" }), cell("senders", { class: "n" }),
        cell("clock", { class: "n" }), cell("last line", { class: "n" }), cell("", {}, button)),
      el("tr", { role: "row", hidden: "" }, el("td", { role: "cell", colspan: 9, class: "note" })), tr);
    body.senders = more;
    return body;
  }, (body, source) => {
    const [, now, line, lines, dropped, senders, skewed, last, open] = body.children[0].children;
    const pace = rates.sources.find((one) => one.name === source.name)?.lines;
    put(now, rate(pace?.last_10s ?? 0));
    draw(line.firstChild, pace?.series ?? []);
    put(lines, count(source.lines));
    put(dropped, count(source.dropped));
    dropped.className = source.dropped ? "n warn" : "n";
    const silent = source.senders.filter((sender) => sender.silent).length;
    put(senders, silent ? `${count(source.n_senders)}, ${count(silent)} silent` : count(source.n_senders));
    senders.className = silent ? "n warn" : "n";
    const off = source.skew_seconds;
    put(skewed, off === null ? "–" : off === 0 ? "right" : `${off > 0 ? "+" : "−"}${span(Math.abs(off))}`);
    put(last, source.last_line ? `${span(since(source.last_line))} ago` : "none yet");
    open.firstChild.disabled = source.senders.length === 0;
    const notes = [
      source.trouble,
      source.cut ? plural(source.cut, "line was cut", "lines were cut") : null,
      source.refused ? plural(source.refused, "connection was not served", "connections were not served") : null,
      source.certificate_until ? `certificate valid until ${source.certificate_until.slice(0, 10)}` : null,
    ].filter(Boolean);
    const note = body.children[1];
    note.hidden = notes.length === 0;
    put(note.firstChild, notes.join("; "));
    note.firstChild.className = source.trouble ? "note bad" : "note";
    showSenders(body.senders, source.senders, source.n_senders);
  });
  const nothing = sources.every((source) => source.lines === 0);
  showEmpty($("sources-empty"), nothing ? "no line" : "", () => [
    el("p", null, "No line has arrived yet. Weir listens, and waits to be sent lines:"),
    el("ul", null, sources.map((source) => el("li", null, source.at))),
    el("p", null, "Send one by hand, then let the host’s logger forward (contrib/ has the lines for rsyslog, syslog-ng and others):"),
    command("logger --server 127.0.0.1 --port 5514 --udp 'hello, Weir'"),
    command("weir listen --udp 127.0.0.1:5515    # shows what a sender really sends"),
  ]);
}

function showSenders(node, senders, all) {
  if (node.parentNode.hidden) return;
  if (!node.firstChild) node.append(el("ul"), el("p", { class: "dim" }));
  patch(node.firstChild, senders, (sender) => sender.address, () => el("li"), (item, sender) => {
    const off = sender.skew_seconds ? `, its clock is ${span(Math.abs(sender.skew_seconds))} ${sender.skew_seconds > 0 ? "ahead" : "behind"}` : "";
    put(item, `${sender.address}: ${plural(sender.lines, "line", "lines")}, the last one ${span(since(sender.last_line))} ago${sender.silent ? ": silent" : ""}${off}`);
    item.className = sender.silent ? "warn" : "";
  });
  put(node.lastChild, all > senders.length ? `and ${count(all - senders.length)} more` : "");
}

// Shows what to do where there is nothing; built anew only when the reason is another one.
function showEmpty(node, reason, make) {
  if (node.dataset.reason === reason) return;
  node.dataset.reason = reason;
  node.hidden = reason === "";
  node.replaceChildren(...(reason === "" ? [] : make()));
}

// ---- Bans

const bans = { before: [], total: 0, first: 0, rows: [], asked: 0, until: 0 };

async function list() {
  const asked = ++bans.asked;
  const search = $("search").value.trim();
  const words = {
    search, origin: $("origin").value, action: $("action").value,
    newest: true, limit: PER_PAGE, before: bans.before.at(-1),
  };
  let reply;
  try {
    reply = await ask("decisions", words);
  } catch (error) {
    if (asked === bans.asked) put($("bans-count"), error.message);
    return;
  }
  if (asked !== bans.asked) return;
  const rows = reply.decisions;
  bans.rows = rows;
  if (bans.before.length === 0) bans.total = reply.total;
  const first = bans.total - reply.total;
  $("bans").hidden = rows.length === 0;
  patch($("bans"), rows, (one) => one.id, makeBan, showBan);
  put($("bans-count"), rows.length === 0 ? "" : reply.total > rows.length || first > 0
    ? `${count(first + 1)}–${count(first + rows.length)} of ${count(bans.total)}`
    : plural(rows.length, "decision", "decisions"));
  $("newer").disabled = bans.before.length === 0;
  $("older").disabled = reply.total <= rows.length;
  $("bans-pages").hidden = $("newer").disabled && $("older").disabled;
  const isFiltered = search || words.origin || words.action;
  showEmpty($("bans-empty"), rows.length ? "" : `none ${isFiltered ? search : "at all"} ${seesLines}`, () =>
    isFiltered ? nothingFits(search) : [
      el("p", null, "Nobody is banned now. What would be, by a log that is already there:"),
      command("weir replay /var/log/auth.log"),
      el("p", null, "And which programs the rules do not understand is said under Coverage."),
    ]);
}

function nothingFits(search) {
  const nodes = [el("p", null, search ? `No ban fits “${search}” here.` : "No ban fits.")];
  if (/^[0-9a-f.:]+(\/\d+)?$/i.test(search) && /[.:]/.test(search)) {
    const more = el("div");
    nodes.push(el("p", null, el("button", { type: "button", onclick: () => tell(more, search) }, `What is known of ${search}?`)), more);
  }
  return nodes;
}

function makeBan(decision) {
  const { button, tr, more } = opener("why", `why-${decision.id}`, 7, () => tell(more, decision.target));
  button.setAttribute("aria-label", `why ${decision.target}`);
  return el("tbody", { role: "rowgroup" },
    row(cell("", { class: "target" }, decision.target), cell("", {}), cell("", { class: "dim" }),
      cell("events", { class: "n" }), cell("since", { class: "n" }), cell("left", { class: "n" }), cell("", {}, button)), tr);
}

function showBan(body, decision) {
  const [, reason, origin, events, begun, left] = body.children[0].children;
  put(reason, decision.reason);
  const kind = decision.action === "ban" ? decision.origin : `${decision.origin}, observed`;
  put(origin, decision.limited ? `${kind} (${decision.limited})` : kind);
  put(events, decision.events ? count(decision.events) : "");
  put(begun, clock(decision.created_at));
  put(left, span((Date.parse(decision.until) - now()) / 1000));
}

function turn(change) {
  change();
  list();
}
$("older").addEventListener("click", () => turn(() => bans.before.push(bans.rows.at(-1).id)));
$("newer").addEventListener("click", () => turn(() => bans.before.pop()));
let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => turn(() => (bans.before = [])), 200);
});
for (const id of ["origin", "action"]) $(id).addEventListener("change", () => turn(() => (bans.before = [])));
$("bans-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  turn(() => (bans.before = []));
});

// ---- Why

async function tell(node, target) {
  if (!node.firstChild) node.append(el("p", { class: "dim" }, "Asking…"));
  try {
    node.replaceChildren(story(await ask("why", { target })));
  } catch (error) {
    const help = error.status === 403
      ? [el("p", null, `What led to it is said by its log lines, and those are hidden here. `, el("code", null, "sudo weir page"), " prints a link that shows them; in a terminal:"), command(`sudo weir why ${quoted(target)}`)]
      : [el("p", { class: "bad" }, error.message)];
    node.replaceChildren(el("div", { class: "story" }, help));
  }
}

const pair = (name, ...value) => [el("dt", null, name), el("dd", null, ...value)];

function logLines(lines) {
  if (!lines?.length) return null;
  return el("div", { class: "lines" }, lines.map((line) =>
    el("pre", null, el("time", { datetime: line.at }, clock(line.at)), line.text, line.cut ? "…" : "")));
}

function told(one) {
  const { story } = one;
  const { capacity, leak_seconds: leak } = story.bucket;
  const bucket = capacity === 0 ? "each event counts"
    : capacity < 0 ? "holds any number of events"
    : `holds ${plural(capacity, "event", "events")}, one leaks in ${span(leak)}`;
  const longer = story.escalation;
  return [
    el("dl", null,
      pair("What", story.message || story.scenario),
      pair("Bucket", `${bucket}; profile ${story.profile || "none"}`),
      longer ? pair("Longer", `${span(longer.seconds)} in place of ${span(longer.base_seconds)}: ${plural(longer.offences, "earlier offence", "earlier offences")}, factor ${longer.factor}`) : null,
      story.level ? pair("Wider", `${story.level.net}: ${story.level.why}`) : null,
      story.limited ? pair("Limited", `${story.limited.seconds ? `at most ${span(story.limited.seconds)}` : "only observed"}, by ${story.limited.by}`) : null),
    logLines(story.lines),
  ];
}

function story(why) {
  const parts = [];
  for (const { decision, steps, stories } of why.decisions) {
    const state = decision.action === "ban" ? "is banned" : "is observed, nothing is dropped";
    parts.push(el("div", null,
      el("h3", null, `${decision.target} ${state} until ${clock(decision.until)}`),
      el("dl", null,
        pair("By", `${decision.origin} ${decision.reason}, since ${clock(decision.created_at)}`),
        steps.length > 1 ? steps.slice(-4).map((step) => pair("Step", `${clock(step.at)} ${step.what} by ${step.origin} ${step.reason} until ${clock(step.until)}`)) : null),
      stories.length ? told(stories.at(-1)) : null));
  }
  if (!why.decisions.length) parts.push(el("h3", null, `${why.target} is not banned`));
  const rest = [];
  for (const { backend, elements, trouble } of why.kernel ?? []) {
    if (trouble) rest.push(pair("Kernel", el("span", { class: "bad" }, `${backend} could not be asked: ${trouble}`)));
    else if (!elements.length) rest.push(pair("Kernel", `${backend} does not have it`));
    for (const one of elements) {
      const left = one.remaining_seconds === null ? "for good" : `for ${span(one.remaining_seconds)}`;
      const dropped = one.packets === undefined ? "" : `, ${plural(one.packets, "packet", "packets")} dropped`;
      rest.push(pair("Kernel", `${backend} has ${one.element} ${left}${dropped}`));
    }
  }
  for (const one of why.inside) rest.push(pair("Inside", `${one.target}: ${one.reason}`));
  if (why.n_inside > why.inside.length) rest.push(pair("", `and ${count(why.n_inside - why.inside.length)} more`));
  for (const one of why.friends) rest.push(pair("Friend", `${one.net} is on the allowlist (${one.origin}${one.comment ? `: ${one.comment}` : ""})`));
  for (const one of why.refusals) rest.push(pair("Refused", `${clock(one.at)} ${one.target} was not banned for ${one.scenario}: ${one.reason}`));
  for (const one of why.past) rest.push(pair("Before", `${one.action} ${one.target}, ${clock(one.created_at)} to ${clock(one.ended_at)}: ${one.cause} (${one.origin} ${one.reason})`));
  if (rest.length) parts.push(el("dl", null, rest));
  const isUnknown = !why.decisions.length && !rest.length;
  if (isUnknown) parts.push(el("p", { class: "dim" }, "Nothing is known of it: its lines may not have arrived, or no rule takes them. See Sources and Coverage."));
  else if (why.decisions.length) parts.push(el("p", { class: "dim" }, "To take it back: ", el("code", null, `weir unban ${quoted(why.target)}`), "; for good: ", el("code", null, `weir allow ${quoted(why.target)}`)));
  return el("div", { class: "story" }, parts);
}

// ---- Coverage

const covered = { at: 0, lines: 0, programs: 0, times: 0, again: false };

async function cover() {
  covered.at = performance.now();
  let programs;
  try {
    ({ programs } = await ask("coverage"));
  } catch (error) {
    return put($("coverage-said"), error.message);
  }
  // What nobody understands first, then what is understood and of no consequence.
  const key = (one) => [one.unparsed > one.parsed ? one.unparsed : 0, one.unparsed, one.uncounted];
  programs.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || (a.program < b.program ? -1 : 1);
  });
  covered.programs = programs.length;
  const unread = programs.filter((one) => one.unparsed && !one.parsed && !one.allowlisted).length;
  put($("coverage-said"), programs.length === 0 ? "Which programs the rules understand."
    : `${plural(programs.length, "program", "programs")}, ${unread ? `${count(unread)} of them not understood at all` : "all of them understood at least in part"}. Uncounted lines are understood, and no scenario minds them.`);
  $("coverage").hidden = programs.length === 0;
  patch($("coverage"), programs, (one) => JSON.stringify([one.label, one.program]), makeProgram, showProgram);
  showEmpty($("coverage-empty"), programs.length ? "" : "no line", () => [
    el("p", null, "No line has been looked at yet. What the rules would make of one:"),
    command("weir explain FILE"),
  ]);
}

let numbered = 0;
function makeProgram(one) {
  const { button, tr, more } = opener("what now", `program-${numbered++}`, 8, () => advise(more, tr.parentNode.program));
  button.setAttribute("aria-label", `what now about ${printable(one.program || "lines without a program")}`);
  return el("tbody", { role: "rowgroup" },
    row(el("th", { role: "rowheader", scope: "row" }, one.program || "(no program)"), cell("", { class: "dim" }, one.label),
      cell("lines", { class: "n" }), cell("parsed", { class: "n" }), cell("unparsed", { class: "n" }),
      cell("uncounted", { class: "n" }), cell("friends", { class: "n" }), cell("", {}, button)),
    el("tr", { role: "row", hidden: "" }, el("td", { role: "cell", colspan: 8, class: "note" })), tr);
}

function showProgram(body, one) {
  body.program = one;
  const [, , lines, parsed, unparsed, uncounted, friends, open] = body.children[0].children;
  put(lines, count(one.parsed + one.unparsed + one.allowlisted));
  put(parsed, count(one.parsed));
  put(unparsed, count(one.unparsed));
  unparsed.className = one.unparsed ? (one.parsed ? "n" : "n warn") : "n dim";
  put(uncounted, count(one.uncounted));
  put(friends, count(one.allowlisted));
  open.firstChild.hidden = !one.unparsed && !one.uncounted;
  const note = body.children[1];
  const near = one.unparsed ? one.nearest : null;
  note.hidden = !near;
  put(note.firstChild, near ? `nearest is ${near.rule}: ${near.why}` : "");
  const more = body.children[2];
  if (!more.hidden) advise(more.firstChild, one);
}

function advise(node, one) {
  const state = JSON.stringify([one.example, one.nearest, seesLines, one.unparsed > 0]);
  if (node.dataset.state === state) return;
  node.dataset.state = state;
  const name = one.program === "" ? "-" : quoted(one.program);
  const last = `weir explain --last ${name}${one.unparsed ? "" : " --uncounted"}`;
  const { example, nearest } = one;
  node.replaceChildren(el("div", { class: "story" },
    example ? el("div", null, el("p", { class: "dim" }, one.unparsed ? "A line that no rule took:" : "A line that no scenario took:"), logLines([{ ...example, at: example.received_at }])) : null,
    !seesLines ? el("p", null, "Its lines are hidden here: ", el("code", null, "sudo weir page"), " prints a link that shows them.") : null,
    nearest ? el("dl", null, pair("Nearest", `${nearest.rule} (${nearest.stage})`), pair("But", nearest.why))
      : example ? el("p", null, "No loaded rule comes near it.") : null,
    el("div", null, el("p", { class: "dim" }, "To go on:"), command(last), one.unparsed ? command("weir discover") : null)));
}

// ---- Keeping up

let last = 0;
let active = "";
let listed = 0;

function shown(status) {
  last = performance.now();
  document.body.classList.remove("stale");
  skew = Date.parse(status.started_at) + status.uptime_seconds * 1000 - Date.now();
  if (Math.abs(skew) < 2000) skew = 0;
  showHealth(status);
  showRates(status);
  showSources(status);
  // The first programs are shown when they come, further ones in a while.
  const looked = status.lines.parsed + status.lines.unparsed + status.lines.allowlisted;
  const rest = covered.programs && covered.times > 2 ? 10000 : 1500;
  if ((looked !== covered.lines || covered.again) && last - covered.at > rest) {
    // Once more after the last line: the nearest rule may have taken a while to be found.
    covered.again = looked !== covered.lines;
    covered.times += 1;
    covered.lines = looked;
    cover();
  }
  for (const decision of bans.rows) {
    const body = $(`why-${decision.id}`)?.parentNode;
    if (body) showBan(body, decision);
  }
  // Decisions are asked for again when there are others, and now and then because some end.
  const changed = JSON.stringify(status.active);
  if (changed !== active ? last - listed > 2000 : last - listed > 15000) {
    active = changed;
    listed = last;
    list();
  }
}

function stale(message) {
  document.body.classList.add("stale");
  put($("state"), message);
  $("state").className = "bad";
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
let stream = null;

// Server-sent events by way of fetch, which can send the token along.
async function listen() {
  stream = new AbortController();
  const answer = await fetch(new URL("/api/events", location.origin), { headers: headers(), cache: "no-store", signal: stream.signal });
  if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    let end;
    while ((end = held.indexOf("\n\n")) >= 0) {
      const event = held.slice(0, end);
      held = held.slice(end + 2);
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (event.startsWith("event: status\n") && data) shown(JSON.parse(data.slice(6)));
    }
  }
}

async function follow() {
  for (let wait = 1000; ; wait = Math.min(wait * 2, 10000)) {
    while (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
    try {
      await look();
      covered.times = 0;
      shown(await ask("status"));
      cover();
      wait = 1000;
      await listen();
    } catch (error) {
      // With no seat left the status is asked for, less often.
      if (error.status === 503 && last) wait = 5000;
      else if (!document.hidden) stale(`The daemon does not answer (${error.message}); trying again. In a terminal: weir status`);
    }
    await pause(wait);
  }
}

document.addEventListener("visibilitychange", () => {
  // Nobody looks: nothing need be asked.
  if (document.hidden) stream?.abort();
});
document.addEventListener("keydown", (event) => {
  const typed = event.target.closest?.("input, select, textarea");
  if (event.key === "/" && !typed && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    $("search").focus();
    $("search").select();
  } else if (event.key === "Escape" && event.target === $("search") && $("search").value) {
    event.preventDefault();
    $("search").value = "";
    turn(() => (bans.before = []));
  }
});
follow();
