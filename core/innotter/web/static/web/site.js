// What makes the site better where scripts run. Without them every link and form works as it is.
// One file, so that it is one request: writing, keys, live and times. No module: it runs as soon as it is
// there, and nothing that is painted waits for it. What it finds on the page it looks for after the first
// paint, in `begin`: what it changes is not laid out before.
"use strict";

const first = (selector, root = document) => root.querySelector(selector);
const all = (selector) => document.querySelectorAll(selector);
const loaded = (act) => (document.readyState === "complete" ? act() : addEventListener("load", act));

// A second press while the answer is on its way asks for nothing: the server would call a mistake what the
// first has done, and that answer would be lost. Where none comes, or somebody has stopped it, the form can
// be sent again.
const PRESSED = 10_000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if ("sent" in form.dataset) return event.preventDefault();
  form.dataset.sent = "";
  setTimeout(() => delete form.dataset.sent, PRESSED);
});
addEventListener("pagehide", () => {
  for (const form of all("form[data-sent]")) delete form.dataset.sent;
});

// Counting, keeping and clearing what is being written.

const user = document.body.dataset.user;
const KEPT = "draft:";

// The server's own rule: code points after NFC.
const length = (text) => [...text.normalize("NFC")].length;

function count(field) {
  const counter = field.form.querySelector(".counter");
  if (!counter) return;
  const left = Number(field.dataset.limit) - length(field.value);
  counter.hidden = false;
  counter.value = left;
  counter.classList.toggle("over", left < 0);
}

// What a form asks for, and the key under which the server knows it, until the server has taken it.
const ASKED = "asked";
const words = (form) => JSON.stringify([form.dataset.draft, form.elements.page.value, first("textarea", form).value]);
const asked = () => JSON.parse(sessionStorage.getItem(ASKED));

function keep(form) {
  const name = `${KEPT}${user}:${form.dataset.draft}`;
  const field = first("textarea", form);
  // On the way back the browser would fill in what was on that page, be it sent by now.
  field.autocomplete = "off";
  const store = () => {
    if (field.value) localStorage.setItem(name, field.value);
    else localStorage.removeItem(name);
  };
  // Some write before this runs.
  if (field.value !== field.defaultValue) store();
  else if (!field.value) field.value = localStorage.getItem(name) ?? "";
  count(field);
  field.addEventListener("input", store);
  // A form that was refused has the right key.
  if (first("[role=alert]", form)) sessionStorage.removeItem(ASKED);
  form.addEventListener("submit", () => {
    const { key } = form.elements;
    const text = words(form);
    // Nobody knows whether an answer that got lost was a yes: the same words are the same post.
    if (asked()?.text === text) key.value = asked().key;
    sessionStorage.setItem(ASKED, JSON.stringify({ name, text, key: key.value }));
  });
}

function help() {
  for (const field of all("textarea[data-limit]")) {
    count(field);
    field.addEventListener("input", () => count(field));
  }
  // A draft goes when the server says that it has taken it: not on a refusal, not at a login.
  if (first(".note.posted")) {
    localStorage.removeItem(asked()?.name);
    sessionStorage.removeItem(ASKED);
  }
  for (const form of all("form[data-draft]")) keep(form);
  for (const field of all('input[type="file"][accept^="image"]')) preview(field);
}

// Nothing of a session stays behind, once the server has ended it: what it refuses stays at /logout.
document.addEventListener("submit", ({ target }) => {
  if (target.matches('[action="/logout"]')) sessionStorage.setItem("left", "1");
});

function forget() {
  if (!sessionStorage.getItem("left")) return;
  sessionStorage.removeItem("left");
  if (user || location.pathname === "/logout") return;
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(KEPT)) localStorage.removeItem(name);
  }
}

// A picture is seen before it is sent.
function preview(field) {
  const image = document.createElement("img");
  image.className = "preview";
  image.alt = "";
  field.addEventListener("change", () => {
    const [file] = field.files;
    if (!file) return image.remove();
    image.src = URL.createObjectURL(file);
    field.after(image);
  });
}

// Keys, as people know them from elsewhere: off in fields, and where somebody has switched them off.
// The dialog #keys lists them.

const OFF = "keys:off";
const posts = () => [...all("article.post:not(.quoted)")];
// Or the one to which a form has led back, before htmx was there to swap it.
const current = () => document.activeElement?.closest("article.post") ?? first("article.post:target");

function step(by) {
  const list = posts();
  const at = list.indexOf(current());
  const next = list[at < 0 ? 0 : Math.min(Math.max(at + by, 0), list.length - 1)];
  if (!next) return;
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const press = (selector) => first(selector, current() ?? posts().find((post) => post.matches(".main")) ?? document.createElement("i"))?.click();
const go = (field, path) => (field ? field.focus() : location.assign(path));

const keys = {
  j: () => step(1),
  k: () => step(-1),
  l: () => press("[id^=like-]"),
  r: () => press(".reply"),
  n: () => go(first(".composer textarea"), "/"),
  "/": () => go(first("#q"), "/search"),
  ".": () => first("#fresh a")?.click(),
  "?": () => first("#keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // A dialog that was closed keeps the focus until the next frame.
  if (event.target.closest("input, textarea, select, dialog, [popover], [contenteditable]")?.checkVisibility()) return;
  const act = keys[event.key];
  // The list itself can always be opened: the switch stands in it.
  if (!act || (event.key !== "?" && localStorage.getItem(OFF))) return;
  event.preventDefault();
  act();
});

function offer(box) {
  box.closest("[hidden]")?.removeAttribute("hidden");
  box.checked = !localStorage.getItem(OFF);
  box.addEventListener("change", () => {
    if (box.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
}

// The post's own page has what `r` leads to.
// The browser goes to a fragment first, and takes the focus from elsewhere.
const toReply = () => setTimeout(() => first("#reply textarea")?.focus());

function listen() {
  for (const box of all("input[data-keys]")) offer(box);
  if (location.hash === "#reply") loaded(toReply);
  first('a.reply[href="#reply"]')?.addEventListener("click", toReply);
  const opener = first("[data-open-keys]");
  if (!opener) return;
  opener.hidden = false;
  opener.addEventListener("click", () => first("#keys").showModal());
}

// New posts announce themselves, older ones are swapped in, and going back finds the same place.

const POLL = 30_000;

function watch(fresh) {
  let last = Date.now();
  const ask = async () => {
    if (document.hidden || Date.now() - last < POLL - 500) return;
    last = Date.now();
    const answer = await fetch(fresh.dataset.poll).catch(() => null);
    const next = answer?.headers.get("Link")?.match(/^<(.+)>/);
    if (next) fresh.dataset.poll = next[1];
    if (answer?.status !== 200) return;
    const text = await answer.text();
    // Said once, not at each poll.
    if (fresh.innerHTML !== text) fresh.innerHTML = text;
  };
  setInterval(ask, POLL);
  document.addEventListener("visibilitychange", ask);
}

// After older rows: the focus goes to the first of them, their number is said, and the place in the
// list that each stands at is remembered for the way back.
let older = null;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const list = detail.target.closest?.("#posts");
  older = detail.target.matches?.(".older") && list ? { list, before: new Set(list.children), url: detail.pathInfo.requestPath } : null;
});
document.addEventListener("htmx:afterSettle", () => {
  if (!older) return;
  const added = [...older.list.children].filter((each) => !older.before.has(each) && !each.matches(".older"));
  for (const each of added) each.dataset.at = older.url;
  const said = first("#said");
  said.textContent = `${said.dataset.more} ${added.length}`;
  const [next] = added;
  if (next) {
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
  }
  older = null;
});

document.addEventListener("click", ({ target }) => {
  const row = target.closest("a[href]") && target.closest("#posts > *");
  if (!row?.dataset.at) return;
  row.id ||= "here";
  history.replaceState(null, "", `${row.dataset.at}#${row.id}`);
});

// What never reached the server is said; nothing was changed.
document.addEventListener("htmx:sendError", () => {
  const said = first("#said");
  said.textContent = said.dataset.failed;
  said.classList.remove("visually-hidden");
  setTimeout(() => said.classList.add("visually-hidden"), 6000);
});
document.addEventListener("htmx:beforeRequest", () => {
  first("#said").textContent = "";
});

// Times in the reader's own zone: those that are written out at once, the others when they are pointed at.
function inFull(time) {
  const full = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  return full.format(new Date(time.dateTime));
}

function tellTimes() {
  for (const field of all("[data-time-zone]")) field.value = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  for (const time of all("time[data-exact]")) time.textContent = inFull(time);
}

document.addEventListener("pointerover", ({ target }) => {
  const time = target.closest("time[datetime*='T']");
  if (time) time.title = inFull(time);
});

document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") first("#suggestions")?.replaceChildren();
});

// What a part of the page can't say, the form says as a page: a refusal, or the way to the login.
document.addEventListener("htmx:responseError", (event) => event.detail.elt.closest("form")?.submit());

// htmx is fetched only where something asks for it. Until it is there, links and forms work as they are. It
// takes up its work by itself where it finds the page loaded.
function enhance() {
  const script = document.createElement("script");
  script.src = first("script[data-htmx]").dataset.htmx;
  document.head.append(script);
}

function begin() {
  forget();
  help();
  listen();
  tellTimes();
  const fresh = first("#fresh[data-poll]");
  if (fresh) watch(fresh);
  if (first("[hx-get], [hx-post]")) loaded(enhance);
}

const painted = new PerformanceObserver(() => {
  painted.disconnect();
  begin();
});
painted.observe({ type: "paint", buffered: true });
