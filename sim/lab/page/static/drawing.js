// The laboratory as a drawing: light from above, cold around, power from below. Laid out anew for each width, so that
// text has the same size on a telephone as on a wall.

import { boards, celsius, faultsOn, hertz, number } from "/words.js";

const SVG = "http://www.w3.org/2000/svg";
const GAP = 26;
const BOX = { min: 142, max: 210, height: 74 };
const EGG = { height: 150 };
const FAN = 96;

function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function pressable(element, label, press) {
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "button");
  element.setAttribute("aria-label", label);
  element.addEventListener("click", press);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      press();
    }
  });
  return element;
}

function mark(x, y) {
  return drawn("g", { class: "bad", transform: `translate(${x} ${y})` },
    drawn("path", { d: "M0 -10 L10 8 L-10 8 Z" }), drawn("text", { y: 6 }, "!"));
}

export class Drawing {
  // choose(title, parts): called when something is clicked
  constructor(element, choose) {
    this.element = element;
    this.choose = choose;
    this.laidOutFor = "";
    this.updates = [];
    new ResizeObserver(() => this.state && this.show(this.state)).observe(element);
  }

  show(state) {
    this.state = state;
    const width = Math.max(320, Math.floor(this.element.clientWidth));
    const wanted = `${width} ${Object.keys(state.modules)} ${state.name}`;
    if (wanted !== this.laidOutFor) {
      this.laidOutFor = wanted;
      this.layOut(width, state);
    }
    for (const update of this.updates) update(state);
  }

  layOut(width, state) {
    this.updates = [];
    this.under = drawn("g");
    this.over = drawn("g");
    this.width = width;
    this.name = (part) => `${state.name}.${part}`;
    let y = this.light(state);
    y = this.freezer(y, state);
    y = this.power(y, state);
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${y}`, width, height: y }, this.under, this.over);
    this.element.replaceChildren(svg);
  }

  // A box with three lines of text. text(state) gives [value, small] and a class; parts are what a click opens.
  box(place, title, parts, text) {
    const value = drawn("text", { class: "value", x: 10, y: 41 });
    const small = drawn("text", { class: "small", x: 10, y: 60 });
    const group = drawn("g", { transform: `translate(${place.x} ${place.y})` },
      drawn("rect", { width: place.w, height: BOX.height, rx: 7 }),
      drawn("text", { class: "title", x: 10, y: 20 }, title), value, small, mark(place.w - 15, 15));
    pressable(group, title, () => this.choose(title, parts));
    this.over.append(group);
    this.updates.push((state) => {
      const [said, more, look] = text(state);
      value.textContent = said;
      small.textContent = more;
      const faulty = parts.some((part) => faultsOn(state.parts[part]).length > 0);
      group.setAttribute("class", `box ${look}${faulty ? " faulty" : ""}`);
      group.setAttribute("aria-label", `${title}: ${said}, ${more}${faulty ? ", a fault is on" : ""}`);
    });
  }

  line(path, kind, isOn) {
    const line = drawn("path", { d: path });
    this.under.append(line);
    this.updates.push((state) => {
      line.setAttribute("class", `${kind} ${isOn(state) ? (kind === "cold" || kind === "power" ? "on" : "lit") : ""}`);
    });
  }

  // Boxes in rows, each row running back where the last one ended, with lines between them.
  chain(boxes, top, columns, kind, isOn, inset = 1) {
    const room = (this.width - 2 * inset - GAP * (columns - 1)) / columns;
    const w = Math.min(BOX.max, room);
    const left = (this.width - columns * w - (columns - 1) * GAP) / 2;
    const places = boxes.map((_, index) => {
      const row = Math.floor(index / columns);
      const along = index % columns;
      const column = row % 2 ? columns - 1 - along : along;
      return { x: left + column * (w + GAP), y: top + row * (BOX.height + GAP), w };
    });
    boxes.forEach((box, index) => {
      this.box(places[index], ...box);
      if (index > 0) this.line(between(places[index - 1], places[index]), kind, (state) => isOn(state, index));
    });
    return places;
  }

  light(state) {
    const name = this.name;
    const boxes = [
      ["Function generator", [name("function_generator"), name("gpib")], ({ light: { generator: g } }) =>
        [g.on ? hertz(g.frequency_hz) : "off", `${number(g.amplitude_vpp)} Vpp${g.pulses > 1 ? `, ${g.pulses} pulses` : ""}`, g.on ? "lit" : "off"]],
      ["Laser supply", [name("power_supply"), name("power_supply_serial")], ({ light: { supply } }) =>
        [supply.on ? `${number(supply.volts, 2)} V` : "off", supply.on ? "output on" : `set to ${number(supply.volts, 2)} V`, supply.on ? "lit" : "off"]],
      ["Laser head", [name("laser")], ({ light }) =>
        [light.fires ? "fires" : "dark", light.sync_hz ? `sync ${hertz(light.sync_hz)}` : "no sync", light.fires ? "lit" : "off"]],
      ...[0, 1].map((wheel) => [`Filter wheel ${wheel}`, [name(`filter_wheel_${wheel}`)], ({ light }) => {
        const { strength, position } = light.wheels[wheel];
        const lit = light.fires && light.wheels.slice(0, wheel + 1).every((each) => each.strength > 0);
        return [`× ${strength}`, position ? `position ${position}` : strength > 0 ? "" : "between filters", lit ? "lit" : "off"];
      }]),
      ["Splitter", [], ({ light, modules }) =>
        [`× ${Number(light.strength.toPrecision(3))}`, `${2 * Object.keys(modules).length} fibres`, light.strength > 0 ? "lit" : "off"]],
    ];
    const tabletop = "degg.10007" in state.parts;
    const all = boxes.length + (tabletop ? 1 : 0);
    const fit = Math.floor((this.width + GAP) / (BOX.min + GAP));
    const wide = fit >= all;
    const columns = Math.max(2, Math.min(wide ? all : boxes.length, fit));
    const top = wide && tabletop ? 34 : 2;
    if (tabletop) boxes.push(["Tabletop mainboard", ["degg.10007"], ({ light }) =>
      [light.sync_hz ? hertz(light.sync_hz) : "no sync", "port 10007", light.sync_hz ? "lit" : "off"]]);
    const reaches = ({ light }, index) =>
      [null, light.generator.on, light.fires, light.fires, light.fires && light.wheels[0].strength > 0, light.strength > 0, false][index];
    const lines = this.chain(boxes.slice(0, 6), top, columns, "beam", reaches);
    if (tabletop) this.tabletop(lines, boxes[6], wide, columns, top);
    this.splitter = { x: lines[5].x + lines[5].w / 2, y: lines[5].y + BOX.height };
    const rows = Math.ceil((tabletop ? 7 : 6) / columns);
    return top + rows * (BOX.height + GAP) - GAP;
  }

  tabletop(lines, box, wide, columns, top) {
    const row = Math.floor(6 / columns);
    const { w } = lines[0];
    const last = lines[5];
    const along = 6 % columns;
    const same = row === Math.floor(5 / columns);
    const step = (row % 2 ? -1 : 1) * (w + GAP);
    const place = { x: same ? last.x + step : lines[row % 2 ? 0 : along].x, y: top + row * (BOX.height + GAP), w };
    this.box(place, ...box);
    const head = lines[2];
    if (wide) {
      const above = top - 20;
      this.line(`M${head.x + w / 2} ${head.y} V${above} H${place.x + w / 2} V${place.y}`, "sync", ({ light }) => light.sync_hz !== null);
    }
  }

  freezer(top, state) {
    const groups = [...grouped(Object.keys(state.modules).map(Number))];
    const columns = Math.min(this.width >= 1120 ? 4 : this.width >= 620 ? 2 : 1, Math.max(1, groups.length));
    const inset = 12;
    const gutter = 16;
    const w = Math.min(4 * 110, (this.width - 2 * inset) / columns - gutter);
    const h = EGG.height + 30;
    const x0 = (this.width - columns * (w + gutter)) / 2 + gutter;
    const y = top + FAN;
    const rows = Math.ceil(groups.length / columns);
    this.blocks = groups.map(([group, members], index) => ({
      group, members, w, h,
      x: x0 + (index % columns) * (w + gutter),
      y: y + 16 + Math.floor(index / columns) * (h + 16),
    }));
    const frame = drawn("rect", { class: "freezer", x: 1, y, width: this.width - 2, rx: 14 });
    this.under.append(frame);
    this.fibresTop = y;
    for (const block of this.blocks) this.block(block);
    this.bus = y + 16 + rows * (h + 16);
    const end = this.coldRows(this.bus + 18, inset);
    frame.setAttribute("height", end - y);
    return end;
  }

  coldBoxes() {
    const name = this.name;
    return [
      ["Freezer", ["freezer", "chamber", "freezer_pins", "freezer_camera"].map(name), ({ cold }) =>
        [celsius(cold.set_point_c), cold.open ? "door open" : cold.running ? "set-point, running" : "compressor off", cold.running && !cold.open ? "cool" : "off"]],
      ["Air in the box", ["thermometer", "humidity", "lake_shore"].map(name), ({ cold }) =>
        [celsius(cold.air_c), `humidity ${number(cold.humidity)} %`, "cool"]],
      ["Glass", [], ({ cold }) => [celsius(cold.glass_c), "vessels", "cool"]],
      ["Mainboards", [], ({ modules }) => {
        const found = boards(modules);
        return found ? [celsius(found.mean), `${number(found.low)} … ${number(found.high)}`, "cool"] : ["no power", "", "off"];
      }],
    ];
  }

  coldRows(top, inset) {
    const room = this.width - 2 * inset;
    const columns = room >= 4 * BOX.min + 3 * GAP ? 4 : 2;
    this.chain(this.coldBoxes(), top, columns, "cold", coldFlows, inset);
    return top + (4 / columns) * (BOX.height + GAP) - GAP + 14;
  }

  block({ group, members, x, y, w, h }) {
    const frame = drawn("rect", { x, y, width: w, height: h, rx: 8 });
    const label = drawn("text", { class: "small tag", x: x + 8, y: y + h - 8 });
    this.under.append(frame);
    this.updates.push((state) => {
      const on = state.power.mains && state.power.wire_pairs[group];
      frame.setAttribute("class", `group ${on ? "on" : ""}`);
      label.textContent = `wire pair ${group}: ${on ? "on" : "off"}`;
    });
    const hub = `icm.${group + 1000}`;
    const press = pressable(drawn("g", { class: "box plain" }, label, mark(x + w - 16, y + h - 12)), `wire pair ${group}`, () => this.choose(`Wire pair ${group}`, [hub]));
    this.updates.push((state) => press.classList.toggle("faulty", faultsOn(state.parts[hub]).length > 0));
    this.over.append(press);
    members.forEach((port) => this.egg(port, x + (port % 4) * (w / 4), y + 4, w / 4));
  }

  egg(port, x, y, w) {
    const part = `degg.${port}`;
    const rx = Math.min(26, w / 2 - 9);
    const cx = x + w / 2;
    const cy = y + 70;
    const ry = 40;
    // Channel 0 is the lower photomultiplier, channel 1 the upper one.
    const halves = [0, 1].map((channel) => drawn("path", {
      d: `M${cx - rx} ${cy} A${rx} ${ry} 0 0 ${channel} ${cx + rx} ${cy} Z`,
    }));
    const volts = [0, 1].map((channel) => drawn("text", { class: "volts", x: cx, y: channel ? cy - 10 : cy + 21 }));
    const label = drawn("text", { class: "port tag", x: cx, y: y + 20 }, String(port));
    const board = drawn("text", { class: "small tag", x: cx, y: y + 130 });
    const group = drawn("g", {},
      drawn("rect", { class: "shell", x: x + 3, y: y + 4, width: w - 6, height: EGG.height - 14, rx: 8 }),
      ...halves, ...volts, label, board, mark(x + w - 16, y + 36));
    pressable(group, part, () => this.choose(`${part}, ${this.state.modules[port].serial}`, [part]));
    this.over.append(group);
    const fibres = [0, 1].map((channel) => {
      const gx = channel ? cx - rx - 5 : cx + rx + 5;
      const ey = channel ? cy - 22 : cy + 22;
      const bend = FAN / 2;
      const s = this.splitter;
      const fibre = drawn("path", { d: `M${s.x} ${s.y} C${s.x} ${s.y + bend} ${gx} ${this.fibresTop - bend} ${gx} ${this.fibresTop} V${ey} L${cx + (channel ? -1 : 1) * rx * 0.82} ${ey}` });
      this.under.append(fibre);
      return fibre;
    });
    this.updates.push((state) => this.showEgg(state, port, { group, halves, volts, board, fibres }));
  }

  showEgg(state, port, { group, halves, volts, board, fibres }) {
    const module = state.modules[port];
    const part = state.parts[`degg.${port}`];
    const faults = faultsOn(part);
    group.setAttribute("class", `egg${module.powered ? " fed" : ""}${faults.length ? " faulty" : ""}`);
    board.textContent = module.powered ? `${number(module.board_c)}°` : "off";
    const dead = part?.faults.dead_fibre;
    const said = halves.map((half, channel) => {
      const { hv_on: on, hv_volts: v } = module.channels[channel] ?? {};
      half.setAttribute("class", `half${on ? " on" : ""}`);
      volts[channel].textContent = v === undefined ? "" : on || v > 1 ? `${Math.round(v)}` : "–";
      const cut = dead?.on && dead.parameters.channel === channel;
      fibres[channel].setAttribute("class", `fibre${state.light.strength > 0 && !cut ? " lit" : ""}`);
      return on ? `${Math.round(v)} V` : "high voltage off";
    });
    group.setAttribute("aria-label", `module ${port}, ${module.serial}: ${module.powered ? `board ${number(module.board_c)} degrees` : "no power"}, lower ${said[0]}, upper ${said[1]}${faults.length ? `, faults on: ${faults.join(", ")}` : ""}`);
  }

  power(top, state) {
    const w = Math.min(BOX.max, this.width);
    const place = { x: (this.width - w) / 2, y: top + GAP, w };
    this.box(place, "Mains switch of the field hub", [this.name("freezer_pins")], ({ power }) =>
      [power.mains ? "on" : "off", `${Object.values(power.wire_pairs).filter(Boolean).length} wire pairs on`, power.mains ? "fed" : "off"]);
    const { bus } = this;
    this.line(`M${this.width / 2} ${place.y} V${bus}`, "power", ({ power }) => power.mains);
    for (const { group, x, y, h } of this.blocks) {
      const end = x - 8;
      this.line(`M${this.width / 2} ${bus} H${end} V${y + h - 13} H${x}`, "power", ({ power }) => power.mains && power.wire_pairs[group]);
    }
    return place.y + BOX.height + 4;
  }
}

// Between the freezer and the air the cold stops with the compressor; the rest follows the air whatever it does.
function coldFlows({ cold }, index) {
  return index !== 1 || (cold.running && !cold.open);
}

function between(from, to) {
  const middle = BOX.height / 2;
  if (from.y === to.y) {
    return to.x > from.x ? `M${from.x + from.w} ${from.y + middle} H${to.x}` : `M${from.x} ${from.y + middle} H${to.x + to.w}`;
  }
  return `M${from.x + from.w / 2} ${from.y + BOX.height} V${to.y}`;
}

function grouped(ports) {
  const groups = new Map();
  for (const port of ports) groups.set(port - (port % 4), [...(groups.get(port - (port % 4)) ?? []), port]);
  return groups;
}
