// Replaces the parts of the page that the server sends anew. What is open stays open, what was typed stays typed, and
// the focus stays where it was. Without this script the page is the state at its loading.
const live = document.getElementById("live");
const lost = document.getElementById("lost");

function kept(part) {
  const open = new Map([...part.querySelectorAll("details[data-key]")].map((d) => [d.dataset.key, d.open]));
  const typed = new Map([...part.querySelectorAll("[data-keep]")].map((i) => [i.dataset.keep, i.value]));
  const focus = part.contains(document.activeElement) ? document.activeElement : null;
  const place = focus && [...part.querySelectorAll("a, button, input, select, summary, [tabindex]")].indexOf(focus);
  const scrolled = [...part.querySelectorAll(".scroll, .log")].map((box) => [box.scrollLeft, box.scrollTop]);
  return () => {
    part.querySelectorAll("details[data-key]").forEach((d) => { d.open = open.get(d.dataset.key) ?? d.open; });
    part.querySelectorAll("[data-keep]").forEach((i) => { i.value = typed.get(i.dataset.keep) ?? i.value; });
    part.querySelectorAll(".scroll, .log").forEach((box, n) => {
      if (scrolled[n]) [box.scrollLeft, box.scrollTop] = scrolled[n];
    });
    if (focus === null) return;
    const same = focus.dataset.keep && part.querySelector(`[data-keep="${CSS.escape(focus.dataset.keep)}"]`);
    const there = part.querySelectorAll("a, button, input, select, summary, [tabindex]");
    (same || there[place])?.focus({ preventScroll: true });
  };
}

function show(name, digest, html) {
  if (name === "title") {
    document.title = html;
    return;
  }
  const part = document.getElementById(`part-${name}`);
  if (part === null || part.dataset.digest === digest) return;
  part.dataset.digest = digest;
  if (name === "said") {
    part.textContent = html;
    return;
  }
  const restore = kept(part);
  part.innerHTML = html;
  restore();
  toEnd(part);
}

// A log is read at its end.
function toEnd(part) {
  part.querySelectorAll(".log").forEach((log) => { if (!log.matches(":focus")) log.scrollTop = log.scrollHeight; });
}

toEnd(live);
let events = null;

function connect() {
  events?.close();
  events = new EventSource(live.dataset.events);
  events.onmessage = (message) => {
    for (const [name, [digest, html]] of Object.entries(JSON.parse(message.data))) show(name, digest, html);
    lost.hidden = true;
  };
  events.onerror = () => { lost.hidden = false; };
}

connect();
// A telephone that slept may hold a connection that is dead and does not know it.
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") connect(); });
