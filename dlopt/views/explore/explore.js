"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const by = id => document.getElementById(id);
const WORLD = data.world;
const state = { runs: [], economy: "", instrument: "", measures: {}, sorts: {} };

// Numbers: base64 of little-endian values, whole ones after an i, others after an f.
const read = new Map();
function numbers(text) {
  if (!read.has(text)) {
    const bytes = Uint8Array.from(atob(text.slice(1)), letter => letter.charCodeAt(0)).buffer;
    read.set(text, text[0] === "i" ? new Int32Array(bytes) : new Float64Array(bytes));
  }
  return read.get(text);
}
function worded(value, form) {  // as Python's format(value, form) for +, comma and .Nf
  if (value === null || Number.isNaN(value)) return "";
  if (!Number.isFinite(value)) return String(value);
  const [, plus, comma, digits] = /^(\+?)(,?)\.(\d)f$/.exec(form);
  let text = Math.abs(value).toFixed(Number(digits));
  if (comma) text = text.replace(/^\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, ","));
  return (value < 0 ? "-" : plus) + text;
}
// Money may be in millions or in shares of the world: small amounts get decimals.
function fitting(form, values) {
  if (!form.includes(",")) return form;
  const largest = Math.max(0, ...values.filter(value => known(value) && Number.isFinite(value)).map(Math.abs));
  return form.replace(".0f", largest >= 1000 ? ".0f" : largest >= 10 ? ".2f" : ".4f");
}
const known = value => value !== null && value !== undefined && !Number.isNaN(value);

// Elements are made of text, never of markup: labels come from files of others.
function element(tag, given = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === false || value === undefined) continue;
    if (name in made && name !== "style") made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...inside);
  return made;
}
const dot = k => element("span", { className: `dot key d${k % 6}` });
// A name that may be broken after an underscore or a hyphen.
const breakable = name => name.split(/(?<=[_-])/).flatMap((part, k) => k ? [element("wbr"), part] : [part]);
// What may be wider than the page scrolls in itself, under a title that stays.
let titles = 0;
function titled(words, table) {
  const title = element("p", { className: "caption", id: `title${++titles}` }, words);
  table.setAttribute("aria-labelledby", title.id);
  const box = element("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
  box.setAttribute("aria-labelledby", title.id);
  return element("div", {}, title, box);
}
const note = words => element("p", { className: "note" }, words);

// A chart is a table: a label, dots on a line, and the numbers themselves, one column for each series.
// rows: {label, values, total, choose}; series: {name, colour, column}.
function chart(id, caption, rows, series, form, unit, first = "who") {
  if (!rows.length) return note("There is nothing to show here in these runs.");
  const finite = rows.filter(row => !row.total).flatMap(row => row.values).filter(v => known(v) && Number.isFinite(v));
  form = fitting(form, rows.flatMap(row => row.values));
  const low = Math.min(0, ...finite), high = Math.max(0, ...finite), span = high - low || 1;
  const place = value => {
    const share = (Math.max(low, Math.min(high, value)) - low) / span;
    return `calc(.5rem + (100% - 1rem) * ${share.toFixed(4)})`;
  };
  const table = element("table", { className: "chart" });
  const head = element("tr"), body = element("tbody");
  const sort = state.sorts[id];
  const heads = [[first, null], ...series.map(one => [one.name, one.colour])];
  heads.forEach(([name, colour], column) => {
    const button = element("button", { type: "button" }, ...(colour === null ? [] : [dot(colour)]), ...breakable(name));
    button.addEventListener("click", () => {
      const before = state.sorts[id];
      state.sorts[id] = { column, down: before && before.column === column ? !before.down : column > 0 };
      render();
      document.querySelector(`table[data-chart="${id}"] thead [data-column="${column}"] button`).focus();
    });
    const cell = element("th", { scope: "col", "data-column": column }, button);
    if (sort && sort.column === column) cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    head.append(cell);
    if (column === 0) head.append(element("td", { "aria-hidden": "true" }));
  });
  for (const row of ordered(rows, sort)) {
    const label = element("th", { scope: "row", className: "text" });
    if (row.choose) {
      const button = element("button", { type: "button", title: `Choose ${row.label}` }, row.label);
      button.addEventListener("click", () => choose(row.label));
      label.append(button);
    } else label.append(row.label);
    const track = element("td", { className: "track", "aria-hidden": "true" });
    track.append(element("span", { className: "zero", style: `left:${place(0)}` }));
    const words = [];
    series.forEach((one, k) => {
      if (!known(row.values[k])) return;
      words.push(`${one.name}: ${worded(row.values[k], form)} ${unit}`);
      if (Number.isFinite(row.values[k]))
        track.append(element("span", { className: `dot d${one.colour % 6}`, style: `left:${place(row.values[k])}` }));
    });
    const line = element("tr", { className: [row.total && "total", row.label === state.economy && row.choose && "chosen"]
      .filter(Boolean).join(" ") }, label, track);
    line.dataset.tip = [row.label, ...words].join("\n");
    series.forEach((one, k) => {
      const cell = element("td", { className: "num" }, known(row.values[k]) ? worded(row.values[k], form) : "");
      Object.assign(cell.dataset, { row: row.label, run: one.name, column: one.column,
        value: known(row.values[k]) ? String(row.values[k]) : "" });
      line.append(cell);
    });
    body.append(line);
  }
  table.dataset.chart = id;
  table.append(element("thead", {}, head), body);
  return titled(caption, table);
}
function ordered(rows, sort) {
  if (!sort) return rows;
  const last = rows.filter(row => row.total), rest = rows.filter(row => !row.total);
  const key = row => sort.column === 0 ? row.label : row.values[sort.column - 1];
  rest.sort((a, b) => {
    const x = key(a), y = key(b);
    if (!known(x) || !known(y)) return known(y) - known(x);
    const both = typeof x === "string" ? x.localeCompare(y) : x - y;
    return sort.down ? -both : both;
  });
  return [...rest, ...last];
}

// What the runs hold.
const measure = chartName => data.measures[chartName].find(([column]) => column === state.measures[chartName]);
const shown = () => state.runs.map(k => ({ run: data.runs[k], k }));
const colour = k => 1 + state.runs.indexOf(k) % data.at_once;
const union = lists => [...new Set(lists.flat())];
function outcome(run, label, column) {
  const row = run.outcomes.rows.indexOf(label);
  return row < 0 || !run.outcomes.columns[column] ? null : numbers(run.outcomes.columns[column])[row];
}
function cell(run, table, column, row, label, labels) {
  const i = run.economies.indexOf(row), j = labels ? labels.indexOf(label) : -1;
  return i < 0 || j < 0 || !table || !table[column] ? null : numbers(table[column])[i * labels.length + j];
}
// Series of a column: the baseline once where all runs start from the same, then every run.
function series(column, labels, get) {
  const runs = shown(), start = `${column}_initial`;
  const values = (name, label) => runs.map(({ run }) => get(run, label, name));
  const before = labels.map(label => values(start, label));
  const near = (a, b) => !known(a) || !known(b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
  const has = before.some(row => row.some(known));
  const same = has && before.every(row => row.every(value => row.every(other => near(value, other))));
  const named = runs.map(({ run, k }) => ({ name: run.name, colour: colour(k), column }));
  return {
    series: same ? [{ name: "before", colour: 0, column: start }, ...named] : named,
    rows: labels.map((label, k) => ({ label, values: [
      ...(same ? [before[k].find(known) ?? null] : []), ...values(column, label) ] })),
  };
}
const unitOf = words => words.includes("money") ? shown()[0].run.unit : words.includes("%") ? "%" : "";
const filled = rows => rows.filter(row => row.values.some(known));
const moving = rows => rows.filter(row => row.values.some(value => known(value) && value !== 0));

// The chapters.
function welfare() {
  const [column, words, form] = measure("welfare");
  const labels = union(shown().map(({ run }) => run.outcomes.rows)).filter(label => label !== WORLD);
  const made = series(column, [...labels, WORLD], (run, label, name) => outcome(run, label, name));
  made.rows.forEach(row => { row.total = row.label === WORLD; row.choose = !row.total; });
  by("welfare").querySelector(".place").replaceChildren(
    chart("welfare", caption(words), filled(made.rows), made.series, form, unitOf(words), "economy"));
  paint(column, words, form);
}
function caption(words) {
  return words.replace("money", unitOf(words));
}
function paint(column, words, form) {
  const map = by("map");
  if (!map) return;
  const { run } = shown()[0];
  const values = Object.fromEntries(run.economies.map(label => [label, outcome(run, label, column)]));
  const paths = [...map.querySelectorAll("path[data-economy]")];
  const limit = Math.max(...paths.map(path => Math.abs(values[path.dataset.economy] ?? 0))) || 1;
  const mixed = share => {
    const full = share >= 0 ? [31, 95, 153] : [163, 71, 0], weight = Math.abs(share) ** 0.7;
    return `rgb(${full.map(part => Math.round(244 + weight * (part - 244))).join(",")})`;
  };
  for (const path of paths) {
    const value = values[path.dataset.economy];
    path.setAttribute("fill", known(value) ? mixed(value / limit) : "#fff");
    path.classList.toggle("chosen", path.dataset.economy === state.economy);
    path.dataset.tip = known(value) ? `${path.dataset.economy}\n${worded(value, form)} ${unitOf(words)}` : path.dataset.economy;
    path.querySelector("title")?.remove();
  }
  map.querySelector("svg").setAttribute("aria-label", `World map: ${words}, ${run.name}. The table below has the numbers.`);
  const scale = map.querySelector("figcaption");
  scale.replaceChildren(...[-1, -0.5, 0, 0.5, 1].map(step => element("span", { style:
    `background:${mixed(step)};color:${Math.abs(step) > 0.6 ? "#fff" : "#222"};padding:.1rem .6rem` },
    worded(step * limit, form))), ` ${caption(words)}, ${run.name}. Outlines: Natural Earth.`);
}
function economyTable() {
  const place = by("economy-table");
  place.querySelector("h2").textContent = `${state.economy} in numbers`;
  const rows = [], runs = shown();
  for (const [column, words, form] of data.measures.welfare) {
    const made = series(column, [state.economy], (run, label, name) => outcome(run, label, name));
    const before = made.series[0]?.colour === 0 ? made.rows[0].values[0] : null;
    const after = made.rows[0].values.slice(-runs.length);
    if (after.some(known)) rows.push({ column, words, form: fitting(form, [before, ...after]), before, after });
  }
  const body = rows.map(({ column, words, form, before, after }) => element("tr", {},
    element("th", { scope: "row", className: "text" }, caption(words)),
    ...[before, ...after].map((value, k) => {
      const made = element("td", { className: "num" }, known(value) ? worded(value, form) : "");
      Object.assign(made.dataset, { row: state.economy, run: k ? runs[k - 1].run.name : "before",
        column: k ? column : `${column}_initial`, value: known(value) ? String(value) : "" });
      return made;
    })));
  const heads = ["", "before", ...runs.map(({ run }) => run.name)];
  place.querySelector(".place").replaceChildren(titled(`${state.economy}, in every run that is shown`,
    element("table", {}, element("thead", {}, element("tr", {},
      ...heads.map(name => element(name ? "th" : "td", name ? { scope: "col" } : {}, ...breakable(name))))),
      element("tbody", {}, ...body))));
}
// Rates of a view as {label: [before, after]}, for those that `keep` keeps.
function averages(run, view, keep, label) {
  const table = run.rates?.[state.instrument]?.[view];
  if (!table) return new Map();
  const columns = Object.fromEntries(Object.entries(table).map(([name, text]) => [name, numbers(text)]));
  const found = new Map();
  for (let k = 0; k < columns.owner.length; k++) {
    if (keep(columns, k)) found.set(label(columns, k), [columns.before[k], columns.after[k]]);
  }
  return found;
}
function rateChart(id, words, view, keep, label, order, first) {
  const found = shown().map(({ run, k }) => ({ run, k, own: averages(run, view, (c, i) => keep(run, c, i),
    (c, i) => label(run, c, i)) }));
  const all = union(found.map(({ own }) => [...own.keys()]));
  const labels = [...order.filter(name => all.includes(name)), ...all.filter(name => !order.includes(name))];
  const made = series("rate", labels, (run, name, column) =>
    found.find(one => one.run === run).own.get(name)?.[column === "rate" ? 1 : 0] ?? null);
  return chart(id, words, filled(made.rows), made.series, data.forms.rates, "%", first);
}
function rates() {
  const place = by("rates"), kind = data.instruments[state.instrument];
  const parts = [];
  const capital = word => word[0].toUpperCase() + word.slice(1);
  if (!kind) {
    place.querySelector("h2").textContent = "Policies";
    place.querySelector(".place").replaceChildren(note("No rate was chosen or changed in these runs."));
    return;
  }
  place.querySelector("h2").textContent = `${capital(kind.plural)}: ${state.economy}`;
  const economies = union(shown().map(({ run }) => run.economies)), sectors = union(shown().map(({ run }) => run.sectors));
  const owner = (run, c, k) => run.economies[c.owner[k]], partner = (run, c, k) => run.economies[c.partner[k]];
  const sector = (run, c, k) => run.sectors[c.sector[k]];
  const average = "simple average of the rates that were chosen or changed, %";
  if (kind.pairs) {
    parts.push(element("h3", {}, `Set by ${state.economy}, by partner`), rateChart("rates-partner",
      `${capital(kind.plural)} that ${state.economy} sets on goods ${kind.buyer ? "from" : "to"} each partner: ${average}`,
      "by_partner", (run, c, k) => owner(run, c, k) === state.economy, partner, economies, "partner"));
  }
  parts.push(element("h3", {}, `Set by ${state.economy}, by sector`), rateChart("rates-sector",
    `${capital(kind.plural)} that ${state.economy} sets, by sector: ${average}`,
    "by_sector", (run, c, k) => owner(run, c, k) === state.economy, sector, sectors, "sector"));
  if (kind.pairs) {
    parts.push(element("h3", {}, `Set by others on trade with ${state.economy}`), rateChart("rates-others",
      `${capital(kind.plural)} that others set on goods ${kind.buyer ? "from" : "to"} ${state.economy}: ${average}`,
      "by_partner", (run, c, k) => partner(run, c, k) === state.economy, owner, economies, "set by"));
    parts.push(...grid(kind));
  }
  place.querySelector(".place").replaceChildren(...parts);
}
function grid(kind) {
  const { run } = shown()[0];
  const found = averages(run, "cells", (c, k) => run.economies[c.owner[k]] === state.economy,
    (c, k) => c.sector[k] * run.economies.length + c.partner[k]);
  if (!found.size) return [];
  const keys = [...found.keys()], n = run.economies.length;
  const sectors = [...new Set(keys.map(key => Math.floor(key / n)))].sort((a, b) => a - b);
  const partners = [...new Set(keys.map(key => key % n))].sort((a, b) => a - b);
  const limit = Math.max(...[...found.values()].map(([, after]) => Math.abs(after))) || 1;
  const body = sectors.map(s => element("tr", {}, element("th", { scope: "row", className: "text" }, run.sectors[s]),
    ...partners.map(p => {
      const [before, after] = found.get(s * n + p) ?? [null, null];
      if (!known(after)) return element("td");
      const weight = 0.6 * Math.abs(after) / limit, full = after >= 0 ? [31, 95, 153] : [163, 71, 0];
      const made = element("td", { className: "num", style:
        `background:rgb(${full.map(part => Math.round(255 + weight * (part - 255))).join(",")})` },
        worded(after, data.forms.rates));
      Object.assign(made.dataset, { row: run.economies[p], sector: run.sectors[s], run: run.name, column: "cell",
        value: String(after), tip:
        `${run.economies[p]}, ${run.sectors[s]}\n${worded(before, data.forms.rates)} → ${worded(after, data.forms.rates)} %` });
      return made;
    })));
  return [element("h3", {}, `Every ${kind.label} of ${state.economy}, ${run.name}`),
    titled(`Rates in per cent, by sector and partner, in the run ${run.name}`, element("table", { className: "grid" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "sector"),
        ...partners.map(p => element("th", { scope: "col" }, run.economies[p])))),
      element("tbody", {}, ...body)))];
}
function flows() {
  const place = by("flows"), [first, second] = place.querySelectorAll(".place");
  place.querySelector("h2").textContent = `Trade of ${state.economy}`;
  const partners = union(shown().map(({ run }) => run.economies)).filter(label => label !== state.economy);
  const sectors = union(shown().map(({ run }) => run.sectors));
  const pair = (run, label, column) => cell(run, run.pairs, column, state.economy, label, run.economies);
  const own = (run, label, column) => cell(run, run.by_sector, column, state.economy, label, run.sectors);
  for (const [where, name, labels, get, head] of
    [[first, "partners", partners, pair, "partner"], [second, "flows", sectors, own, "sector"]]) {
    const [column, words, form] = measure(name);
    const made = series(column, labels, get);
    where.replaceChildren(chart(name, `${state.economy}: ${caption(words)}`, filled(made.rows), made.series, form,
      unitOf(words), head));
  }
}
function decomposition() {
  const place = by("decomposition");
  place.querySelector("h2").textContent = `Where the change comes from: ${state.economy}`;
  const runs = shown(), names = union(runs.map(({ run }) => run.decomposition?.components ?? []));
  const rows = names.map(name => ({ label: name.replaceAll("_", " "), total: name === "total", values: runs.map(({ run }) =>
    cell(run, { v: run.decomposition?.values }, "v", state.economy, name, run.decomposition?.components)) }));
  const made = runs.map(({ run, k }) => ({ name: run.name, colour: colour(k), column: "contribution_pct" }));
  place.querySelector(".place").replaceChildren(chart("decomposition",
    `Parts of the change of real income of ${state.economy}, %`, moving(rows), made, data.forms.parts, "%", "part"));
}
function jobs() {
  const place = by("jobs"), [column, words, form] = measure("jobs");
  place.querySelector("h2").textContent = `Jobs and output by sector: ${state.economy}`;
  const labels = union(shown().map(({ run }) => run.sectors));
  const made = series(column, labels, (run, label, name) => cell(run, run.by_sector, name, state.economy, label, run.sectors));
  place.querySelector(".place").replaceChildren(chart("jobs", `${state.economy}: ${caption(words)}`, filled(made.rows),
    made.series, form, unitOf(words), "sector"));
}
function about() {
  const rows = shown().map(({ run, k }) => element("tr", {}, element("th", { scope: "row", className: "text" },
    dot(colour(k)), ...breakable(run.name)), ...[run.world, run.status, run.message].map(words => element("td", { className: "text" }, words)),
    element("td", { className: "text" }, element("code", {}, run.command))));
  by("about").querySelector(".place").replaceChildren(titled("The runs that are shown",
    element("table", { className: "runs" }, element("thead", {}, element("tr", {},
      ...["run", "world", "status", "what it says", "asked with"].map(name =>
        element("th", { scope: "col", className: "text" }, name)))), element("tbody", {}, ...rows))));
}

// Choosing.
function options(select, values, chosen) {
  select.replaceChildren(...values.map(([value, words]) => element("option", { value, selected: value === chosen }, words)));
  select.disabled = !values.length;
}
// The largest economy among those that set a rate in the first run, rather than the rest of the world.
function largest() {
  const { run } = shown()[0];
  const owners = union(Object.values(run.rates ?? {}).map(views => [...numbers(views.overall.owner)]));
  const gdp = k => outcome(run, run.economies[k], "gdp_initial") ?? 0;
  const rest = k => run.economies[k] === data.rest;
  return run.economies[owners.sort((a, b) => rest(a) - rest(b) || gdp(b) - gdp(a))[0]];
}
function choose(economy) { state.economy = economy; render(); }
function settle() {
  const economies = union(shown().map(({ run }) => run.economies));
  if (!economies.includes(state.economy)) state.economy = largest() ?? economies[0];
  const kinds = Object.keys(data.instruments).filter(name => shown().some(({ run }) => run.rates?.[name]));
  if (!kinds.includes(state.instrument)) state.instrument = kinds[0] ?? "";
  options(by("economy"), economies.map(name => [name, name]), state.economy);
  options(by("instrument"), kinds.map(name => [name, data.instruments[name].label]), state.instrument);
}
function render() {
  settle();
  for (const box of by("runs").querySelectorAll("input")) {
    const k = Number(box.value);
    box.checked = state.runs.includes(k);
    box.disabled = box.checked ? state.runs.length === 1 : state.runs.length >= data.at_once;
    box.nextSibling.className = box.checked ? `dot key d${colour(k)}` : "";
  }
  [welfare, economyTable, rates, flows, decomposition, jobs, about].forEach(part => part());
  by("said").textContent = `Shown: ${shown().map(({ run }) => run.name).join(", ")}; economy ${state.economy}` +
    (state.instrument ? `; ${data.instruments[state.instrument].plural}.` : ".");
  const kept = new URLSearchParams({ runs: state.runs.join("."), economy: state.economy, instrument: state.instrument });
  try { history.replaceState(null, "", `#${kept}`); } catch { /* a page inside another may not */ }
}
function start() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const given = (asked.get("runs") ?? "").split(".").filter(Boolean).map(Number).filter(k => data.runs[k]);
  state.runs = (given.length ? [...new Set(given)] : data.runs.map((_, k) => k)).slice(0, given.length || innerWidth >= 600 ? data.at_once : 2);
  state.economy = asked.get("economy") ?? "";
  state.instrument = asked.get("instrument") ?? "";
  data.runs.forEach((run, k) => {
    const box = element("input", { type: "checkbox", value: k });
    box.addEventListener("change", () => {
      state.runs = box.checked ? [...state.runs, k].sort((a, b) => a - b) : state.runs.filter(other => other !== k);
      render();
    });
    by("runs").append(element("label", {}, box, dot(0), run.name));
  });
  for (const select of document.querySelectorAll("select[data-chart]")) {
    state.measures[select.dataset.chart] = select.value;
    select.addEventListener("change", () => {
      state.measures[select.dataset.chart] = select.value;
      render();
    });
  }
  state.sorts.welfare = state.sorts.jobs = { column: 1, down: true };
  by("economy").addEventListener("change", event => choose(event.target.value));
  by("instrument").addEventListener("change", event => { state.instrument = event.target.value; render(); });
  by("controls").addEventListener("submit", event => event.preventDefault());
  by("map")?.addEventListener("click", event => {
    const path = event.target.closest("path[data-economy]");
    if (path && shown().some(({ run }) => run.economies.includes(path.dataset.economy))) choose(path.dataset.economy);
  });
  const tip = by("tip");
  document.addEventListener("pointermove", event => {
    const line = event.target.closest?.("[data-tip]");
    tip.hidden = !line;
    if (!line) return;
    tip.textContent = line.dataset.tip;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 10}px`;
  });
  render();
  by("plain").remove();
  by("app").hidden = false;
}
start();
})();
