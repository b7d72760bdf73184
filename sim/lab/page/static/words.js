// Numbers and states in words.

export function number(value, digits = 1) {
  return value.toFixed(digits).replace("-", "−");
}

export function celsius(value) {
  return `${number(value)} °C`;
}

export function hertz(value) {
  for (const [unit, size] of [["MHz", 1e6], ["kHz", 1e3]]) {
    if (value >= size) return `${Number((value / size).toPrecision(6))} ${unit}`;
  }
  return `${Number(value.toPrecision(6))} Hz`;
}

export function faultsOn(part) {
  return part ? Object.entries(part.faults).filter(([, fault]) => fault.on).map(([name]) => name) : [];
}

export function boards(modules) {
  const warm = Object.values(modules).filter((module) => module.powered).map((module) => module.board_c);
  if (!warm.length) return null;
  return { mean: warm.reduce((a, b) => a + b, 0) / warm.length, low: Math.min(...warm), high: Math.max(...warm) };
}
