// The page's script: charts from the data that stands in the page. Texts are set as text, never as markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const digits = (value) => (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2));
  const time = (ns) => {
    const units = ["ns", "us", "ms", "s"];
    let unit = 0;
    while (unit < 3 && ns >= 999.5) (ns /= 1000), ++unit;
    return digits(ns) + " " + units[unit];
  };
  const ratioText = (ratio) => (ratio > 0 && ratio < 0.00995 ? ratio.toPrecision(1) : digits(ratio)) + " \u00d7";
  const power = (exponent) => (exponent === 0 ? "1\u00d7" : exponent < -3 || exponent > 4 ? "10^" + exponent : String(Number("1e" + exponent)));
  // A figure of 0 is below what was resolved; a logarithm needs some.
  const positive = (value) => Math.max(value, 0.01);
  const cellOf = (mode, row) => (Object.hasOwn(mode.cells, row) ? mode.cells[row] : null);
  const figure = (mode, row) => {
    const cell = cellOf(mode, row);
    return cell !== null && typeof cell.median_ns === "number" ? cell : null;
  };
  const measured = data.modes.filter((mode) => data.rows.some((row) => figure(mode, row.name)));

  const narrow = matchMedia("(max-width: 40rem)");

  // A scale of whole powers of ten that holds all the values, 1 among them.
  const scaleOf = (values) => {
    const logs = values.map(Math.log10).concat(0);
    const low = Math.floor(Math.min(...logs) - 0.05), high = Math.max(Math.ceil(Math.max(...logs) + 0.05), low + 1);
    const at = (value) => Math.min(100, Math.max(0, (100 * (Math.log10(value) - low)) / (high - low)));
    return { low, high, at };
  };
  const grid = (scale, track) => {
    for (let exponent = scale.low; exponent <= scale.high; ++exponent) {
      const line = make("div", { class: exponent === 0 ? "grid one" : "grid" });
      line.style.left = scale.at(10 ** exponent) + "%";
      track.append(line);
    }
  };
  const ticks = (scale, label) => {
    const track = make("td", { class: "track" });
    const step = Math.ceil((scale.high - scale.low) / (narrow.matches ? 3 : 6));
    for (let exponent = scale.low; exponent <= scale.high; ++exponent) {
      if (exponent % step !== 0) continue;
      const tick = make("span", {}, label(exponent));
      tick.style.left = scale.at(10 ** exponent) + "%";
      track.append(tick);
    }
    return make("tr", { class: "ticks", "aria-hidden": "true" }, make("td"), track, make("td"), make("td"));
  };
  const barOf = (scale, from, value, least, most) => {
    const track = make("td", { class: "track", "aria-hidden": "true" });
    grid(scale, track);
    const bar = make("div", { class: value < from ? "bar faster" : "bar slower" });
    const a = scale.at(Math.min(from, value)), b = scale.at(Math.max(from, value));
    bar.style.left = a + "%";
    bar.style.width = b - a + "%";
    track.append(bar);
    if (most > least) {
      const range = make("div", { class: "range" });
      range.style.left = scale.at(least) + "%";
      range.style.width = scale.at(most) - scale.at(least) + "%";
      track.append(range);
    }
    return track;
  };
  const head = (...names) => make("thead", { class: "hidden-text" }, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name))));
  const widths = () => make("colgroup", {}, ...["name", "", "ratio", "time"].map((name) => make("col", { class: name })));
  const card = (title, about, table) => make("figure", {}, make("figcaption", {}, make("h4", {}, title), make("p", {}, about)), table);

  // The results: each row's modes, relative to the chosen one.
  const state = { baseline: "", group: "", hidden: new Set() };
  const chosen = () => measured.filter((mode) => !state.hidden.has(mode.id));
  const baseOf = (row) => {
    const base = measured.find((mode) => mode.id === state.baseline);
    const cell = base ? figure(base, row.name) : null;
    if (cell && cell.median_ns > 0) return { ns: positive(cell.median_ns), name: state.baseline };
    const others = chosen().filter((mode) => figure(mode, row.name) && figure(mode, row.name).median_ns > 0);
    if (others.length === 0) return null;
    const fastest = others.reduce((a, b) => (figure(a, row.name).median_ns <= figure(b, row.name).median_ns ? a : b));
    return { ns: positive(figure(fastest, row.name).median_ns), name: fastest.id };
  };
  const modeRow = (mode, row, base, scale) => {
    const cell = figure(mode, row.name);
    const name = make("th", { scope: "row", class: "name" }, mode.id);
    if (!cell) {
      const other = cellOf(mode, row.name);
      const reason = other && (other.failed ? "failed: " + other.failed : other.skipped ? "skipped: " + other.skipped : "");
      return reason ? make("tr", { class: "away" }, name, make("td", { colspan: "3", class: "away" }, reason)) : null;
    }
    const ratio = positive(cell.median_ns) / base.ns;
    const line = make("tr", { class: "family-" + mode.family + (mode.id === base.name ? " base" : ""), "data-mode": mode.id });
    line.append(name, barOf(scale, 1, ratio, positive(cell.min_ns) / base.ns, positive(cell.max_ns) / base.ns),
      make("td", { class: "number ratio" }, ratioText(ratio)), make("td", { class: "number time" }, time(cell.median_ns)));
    return line;
  };
  const chart = (row, scale) => {
    const base = baseOf(row);
    if (!base) return null;
    const body = make("tbody");
    for (const mode of chosen()) {
      const line = modeRow(mode, row, base, scale);
      if (line) body.append(line);
    }
    body.append(ticks(scale, power));
    const other = base.name === state.baseline ? "" : " (relative to " + base.name + ": " + state.baseline + " has no figure)";
    const table = make("table", { class: "bars" }, make("caption", { class: "hidden-text" }, row.name + ", relative to " + base.name), widths(), head("Mode", "Chart", "Ratio", "Time"), body);
    const element = card(row.name, row.about + other, table);
    element.id = "row-" + row.name;
    return element;
  };
  const draw = () => {
    const rows = data.rows.filter((row) => state.group === "" || row.group === state.group);
    const ratios = [];
    for (const row of rows) {
      const base = baseOf(row);
      const figures = base ? chosen().map((mode) => figure(mode, row.name)) : [];
      for (const cell of figures) if (cell && cell.median_ns > 0) ratios.push(cell.median_ns / base.ns);
    }
    const scale = scaleOf(ratios);
    const charts = make("div", { class: "cards" });
    let group = null;
    for (const row of rows) {
      const element = chart(row, scale);
      if (!element) continue;
      if (row.group !== group) charts.append(make("h3", {}, (group = row.group)));
      charts.append(element);
    }
    byId("charts").replaceChildren(charts);
    byId("scale").textContent = "Time of an operation relative to " + state.baseline + ", on a logarithmic scale: left of the line is faster, right of it slower. Thin lines span the runs.";
  };
  const fill = (select, options, value) => {
    select.replaceChildren(...options.map(([id, text]) => make("option", { value: id }, text)));
    select.value = value;
  };
  const start = () => {
    const ids = measured.map((mode) => mode.id);
    state.baseline = ["native", "qemu-tcg", "bt"].filter((id) => ids.includes(id)).find((id) => id !== "native") || ids[0] || "";
    fill(byId("baseline"), measured.map((mode) => [mode.id, mode.id]), state.baseline);
    const groups = [...new Set(data.rows.map((row) => row.group))];
    fill(byId("group"), [["", "all"], ...groups.map((group) => [group, group])], "");
    for (const mode of measured) {
      const box = make("input", { type: "checkbox", value: mode.id });
      box.checked = true;
      box.addEventListener("change", () => (box.checked ? state.hidden.delete(mode.id) : state.hidden.add(mode.id), draw()));
      byId("shown").append(make("label", { class: "family-" + mode.family }, box, " ", make("span", { class: "key", "aria-hidden": "true" }), mode.id));
    }
    byId("baseline").addEventListener("change", (event) => ((state.baseline = event.target.value), draw()));
    byId("group").addEventListener("change", (event) => ((state.group = event.target.value), draw()));
    byId("print").addEventListener("click", () => window.print());
    draw();
  };

  // Beside the paper: cycles of each system, or multiples of its own system call.
  const theirs = [["native", "2006 native"], ["translation", "2006 translation"], ["vt_x", "2006 VT-x"]];
  const khz = data.doctor && data.doctor.host && data.doctor.host.tsc ? data.doctor.host.tsc.khz : 0;
  const cycles = (mode, row) => {
    const cell = figure(mode, row);
    return cell ? positive(cell.median_ns) * khz * 1e-6 : null;
  };
  const systems = () => [
    ...theirs.map(([key, name]) => ({ name, family: "paper", of: (row) => data.paper.rows.find((r) => r.row === row)?.[key] ?? null })),
    ...measured.map((mode) => ({ name: mode.id, family: mode.family, of: (row) => cycles(mode, row) })),
  ];
  const drawPaper = () => {
    const own = byId("unit").value === "own";
    const value = (system, row) => {
      const of = system.of(row), call = own ? system.of("syscall") : 1;
      return of === null || call === null || !(call > 0) ? null : of / call;
    };
    const rows = data.paper.rows.filter((row) => data.rows.some((r) => r.name === row.row));
    const all = rows.flatMap((row) => systems().map((system) => value(system, row.row))).filter((v) => v !== null);
    const scale = scaleOf(all);
    const charts = make("div", { class: "cards" });
    for (const row of rows) {
      const body = make("tbody");
      for (const system of systems()) {
        const v = value(system, row.row);
        if (v === null) continue;
        body.append(make("tr", { class: "family-" + system.family }, make("th", { scope: "row", class: "name" }, system.name), barOf(scale, own ? 1 : 10 ** scale.low, v, v, v),
          make("td", { class: "number", colspan: "2" }, own ? ratioText(v) : digits(v) + " cycles")));
      }
      body.append(ticks(scale, (exponent) => (own ? power(exponent) : exponent === 0 ? "1" : power(exponent))));
      const table = make("table", { class: "bars" }, make("caption", { class: "hidden-text" }, row.theirs), widths(), head("System", "Chart", own ? "Multiple" : "Cycles", ""), body);
      charts.append(card(row.theirs, row.theirs === row.row ? "" : "here: " + row.row, table));
    }
    byId("paper-charts").replaceChildren(charts);
  };

  // Where the time goes: one line of parts for each profile, above its table.
  const drawParts = () => {
    for (const holder of document.querySelectorAll(".parts")) {
      const mode = data.modes.find((m) => m.id === holder.dataset.mode);
      (mode.profile.time_parts || []).forEach((part, index) => {
        if (!(part.seconds > 0)) return;
        const piece = make("div", { class: "shade-" + (index % 6), title: part.part });
        piece.style.flexGrow = part.seconds;
        holder.append(piece);
      });
    }
  };

  for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
  for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
  if (measured.length !== 0) start();
  byId("unit").addEventListener("change", drawPaper);
  drawPaper();
  drawParts();
  narrow.addEventListener("change", () => {
    if (measured.length !== 0) draw();
    drawPaper();
  });
})();
