// What opens when a part is chosen: its address, its faults, and a switch for each.


const byId = (id) => document.getElementById(id);

function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export class Panel {
  // changed: called with the laboratory's state after a switch
  constructor(changed) {
    this.changed = changed;
    this.dialog = byId("panel");
    this.rows = [];
    this.state = null;
    const token = byId("token");
    token.value = sessionStorage.getItem("token") ?? "";
    token.addEventListener("input", () => sessionStorage.setItem("token", token.value.trim()));
    byId("token-form").addEventListener("submit", (event) => event.preventDefault());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  open(title, names) {
    if (!this.state) return;
    byId("panel-title").textContent = title;
    byId("panel-said").textContent = "";
    this.rows = [];
    const sections = names.filter((name) => this.state.parts[name]).map((name) => this.section(name));
    byId("panel-parts").replaceChildren(...sections);
    this.dialog.showModal();
    this.show(this.state);
  }

  show(state) {
    this.state = state;
    if (!this.dialog.open) return;
    for (const row of this.rows) row.show(state.parts[row.part].faults[row.fault]);
  }

  section(name) {
    const part = this.state.parts[name];
    const section = made("section", {}, made("h3", {}, name));
    if (part.address) section.append(made("p", { class: "quiet" }, made("code", {}, part.address)));
    const facts = Object.entries(part.told).filter(([, value]) => typeof value !== "object");
    if (facts.length) {
      section.append(made("p", { class: "quiet" }, facts.map(([key, value]) => `${key.replaceAll("_", " ")}: ${value}`).join(", ")));
    }
    const faults = Object.entries(part.faults);
    if (!faults.length) section.append(made("p", { class: "quiet" }, "Nothing of it can be broken."));
    for (const [fault, about] of faults) {
      const row = new FaultRow(name, fault, about, (wanted) => this.send(wanted));
      this.rows.push(row);
      section.append(row.element);
    }
    return section;
  }

  async send(wanted) {
    const said = byId("panel-said");
    const token = byId("token").value.trim();
    if (!token) {
      said.textContent = "A change needs the token that `stellwerk up` prints.";
      byId("token").focus();
      return;
    }
    try {
      const answer = await fetch("/faults", {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify(wanted),
      });
      const found = await answer.json();
      said.textContent = answer.ok ? "" : found.error;
      if (answer.ok) this.changed(found);
      else if (answer.status === 401) byId("token").focus();
    } catch {
      said.textContent = "The laboratory does not answer.";
    }
  }
}

class FaultRow {
  constructor(part, fault, about, send) {
    Object.assign(this, { part, fault, about, send, inputs: new Map() });
    this.switch = made("button", { class: "switch", role: "switch", "aria-label": fault });
    this.switch.addEventListener("click", () => this.press());
    this.struck = made("span");
    this.element = made("div", { class: "fault" },
      made("div", { class: "fault-head" }, made("code", {}, fault), this.switch),
      made("p", {}, about.about),
      made("p", { class: "shows" }, `Shows as: ${about.shown_by}. `, this.struck),
      this.form());
  }

  form() {
    const form = made("div", { class: "inputs" });
    for (const [name, value] of Object.entries(this.about.parameters)) {
      const input = made("input", { value: typeof value === "string" ? value : JSON.stringify(value) });
      if (typeof value === "number") input.inputMode = "decimal";
      this.inputs.set(name, input);
      form.append(made("label", {}, name, input));
    }
    this.times = made("input", { inputmode: "numeric", placeholder: "until off" });
    form.append(made("label", {}, "how often", this.times));
    return form;
  }

  show(found) {
    this.on = found.on;
    this.element.classList.toggle("on", found.on);
    this.switch.setAttribute("aria-checked", String(found.on));
    this.switch.textContent = found.on ? "on: switch off" : "switch on";
    this.struck.textContent = found.struck ? `Struck ${found.struck} times.` : "";
  }

  press() {
    if (this.on) {
      this.send({ part: this.part, fault: this.fault, on: false });
      return;
    }
    const parameters = {};
    for (const [name, input] of this.inputs) parameters[name] = valueOf(input.value, this.about.parameters[name]);
    const times = this.times.value.trim() === "" ? null : Number(this.times.value);
    this.send({ part: this.part, fault: this.fault, on: true, times, parameters });
  }
}

function valueOf(text, standard) {
  if (typeof standard === "string") return text;
  try {
    return JSON.parse(text.trim().replace(",", ".").replace("−", "-"));
  } catch {
    return text;
  }
}
