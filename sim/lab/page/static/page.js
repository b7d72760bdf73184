// Polls the laboratory's state and shows it.

import { Drawing } from "/drawing.js";
import { Panel } from "/panel.js";
import { faultsOn } from "/words.js";

const PERIOD_MS = 1000;
const FAMILIES = { degg: "modules", icm: "pairs" };
const byId = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.panel = new Panel((state) => this.show(state));
    this.drawing = new Drawing(byId("drawing"), (title, parts) => this.panel.open(title, parts));
    this.buttons = new Map();
    this.lostSince = null;
    // On a telephone the long lists begin closed.
    if (window.innerWidth < 640) for (const list of document.querySelectorAll("details")) list.open = false;
  }

  async poll() {
    if (!document.hidden) {
      try {
        const answer = await fetch("/state", { signal: AbortSignal.timeout(5000) });
        if (!answer.ok) throw new Error(String(answer.status));
        this.show(await answer.json());
        this.said("live", false);
        this.lostSince = null;
      } catch {
        this.lostSince ??= new Date();
        this.said(`no answer since ${this.lostSince.toLocaleTimeString()}`, true);
      }
    }
    setTimeout(() => this.poll(), PERIOD_MS);
  }

  said(text, lost) {
    const link = byId("link");
    if (link.textContent !== text) link.textContent = text;
    link.classList.toggle("lost", lost);
  }

  show(state) {
    byId("name").textContent = `Laboratory ${state.name}`;
    document.title = `${state.name}: laboratory`;
    byId("time").textContent = timeOf(state.time);
    const summary = summaryOf(state);
    if (byId("summary").textContent !== summary) byId("summary").textContent = summary;
    this.drawing.show(state);
    this.panel.show(state);
    for (const [name, part] of Object.entries(state.parts)) this.showPart(name, part);
  }

  showPart(name, part) {
    let button = this.buttons.get(name);
    if (!button) {
      button = document.createElement("button");
      button.append(document.createElement("span"), document.createElement("small"));
      button.addEventListener("click", () => this.panel.open(name, [name]));
      byId(FAMILIES[name.split(".")[0]] ?? "instruments").append(button);
      this.buttons.set(name, button);
    }
    const on = faultsOn(part);
    button.classList.toggle("faulty", on.length > 0);
    button.firstChild.textContent = on.length ? `⚠ ${name}` : name;
    button.lastChild.textContent = on.length ? on.join(", ") : (part.address ?? "");
  }
}

function timeOf(time) {
  const seconds = Math.floor(time.now_ns / 1e9);
  const day = Math.floor(seconds / 86400) + 1;
  const moment = new Date(time.epoch_unix_ns / 1e6 + seconds * 1000);
  return `day ${day}, ${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function summaryOf(state) {
  const modules = Object.values(state.modules);
  const powered = modules.filter((module) => module.powered).length;
  const faults = Object.values(state.parts).reduce((sum, part) => sum + faultsOn(part).length, 0);
  const light = state.light.why_dark ? `dark: ${state.light.why_dark}` : "the fibres are lit";
  const broken = faults ? `${faults} fault${faults > 1 ? "s" : ""} on` : "no fault is on";
  return `${powered} of ${modules.length} modules have power; ${light}; ${broken}.`;
}

new Page().poll();
