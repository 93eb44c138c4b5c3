"use strict";
// The page's behaviour: which scenario, group, rivals and columns are shown. No framework; every
// name goes into the page as text, never as markup.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data");
  const specs = read("specs");
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const DASHES = ["", "6 3", "2 2", "8 3 2 3", "10 4", "4 2", "3 3 1 3"];
  const SHAPES = ["●", "■", "▲", "◆", "✚", "▼", "▶"];
  const MILLI = 1000;
  const [FRAME, STEP] = [52, 22];  // pixels: axis of a chart in rows, and each row
  const ERRORS_ONLY = 1;  // of Vega's levels; it warns of every layer that happens to be empty
  const narrow = window.matchMedia("(max-width: 40rem)").matches;

  const state = { scenario: 0, slots: data.picks.slice() };
  const views = {};

  // ---- words and small elements ------------------------------------------------------------
  const fixed = (value, digits = 3) =>
    value === null ? "–" : value.toFixed(digits).replace("-", "−");
  const signed = (value) => (value === null ? "–" : (value > 0 ? "+" : "") + fixed(value));
  const bounds = (low, high, word = fixed) =>
    low === null ? "[one seed: no interval]" : `[${word(low)}, ${word(high)}]`;
  const name = (recommender) => data.recommenders[recommender].name;
  const isReference = (recommender) => data.recommenders[recommender].family === "reference";
  const chosen = (control) => $(`[name="${control}"]:checked`).value;
  const slotOf = (recommender) => state.slots.indexOf(recommender);
  const slotName = (recommender) => (slotOf(recommender) < 0 ? "" : String(slotOf(recommender)));

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  const fillTable = (figure, heads, rows) => {
    const table = $(`#table-${figure}`);
    const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
    const body = rows.map(([first, ...cells]) =>
      make("tr", {}, make("th", { scope: "row" }, first), ...cells.map((c) => make("td", {}, c))));
    table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
  };

  const say = (figure, text) => { $(`#says-${figure}`).textContent = text; };

  const list = (names) =>
    names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

  // ---- charts --------------------------------------------------------------------------------
  const draw = async (figure, sources, rows = null) => {
    const height = rows === null ? specs[figure].height : FRAME + STEP * rows;
    if (!views[figure]) {
      const config = { axisY: { labelLimit: narrow ? 116 : 260 } };
      const options = { actions: false, renderer: "svg", ast: true, mode: "vega-lite", config, logLevel: ERRORS_ONLY };
      views[figure] = vegaEmbed(`#chart-${figure}`, { ...specs[figure], height, datasets: sources }, options);
      await views[figure];
      return;
    }
    const { view } = await views[figure];
    for (const [source, values] of Object.entries(sources)) view.data(source, values);
    await view.height(height).resize().runAsync();
  };

  const LANDMARKS = [{ at: 0, label: "oracle: 0" }, { at: 1, label: "a random item: 1" }];

  const lineRows = (lines, xs, word) =>
    Object.entries(lines).flatMap(([key, [means, lows, highs]]) => means.map((mean, i) => {
      if (mean === null) return null;
      const [value, low, high] = [mean, lows[i], highs[i]].map((v) => v === null ? null : v / MILLI);
      return { name: name(+key), slot: slotName(+key), low: low ?? value, high: high ?? value,
        what: `${word}: ${fixed(value)} ${bounds(low, high)}`, x: xs[i], y: value };
    })).filter(Boolean);

  const withoutReferences = (lines) =>
    Object.fromEntries(Object.entries(lines).filter(([key]) => !isReference(+key)));

  const drawCurves = () => {
    const lines = withoutReferences(data.curves[state.scenario][chosen("view")] || {});
    const xs = Array.from({ length: data.bins }, (_, i) => (i + 0.5) / data.bins);
    const rows = lineRows(lines, xs, "regret").map(({ x, y, ...row }) => ({ ...row, time: x, regret: y }));
    const stops = [0, 0.25, 0.5, 0.75, 1].map((s) => Math.round(s * (data.bins - 1)));
    const table = Object.entries(lines).map(([key, [mean, low, high]]) => [name(+key), ...stops.map((i) =>
      mean[i] === null ? "–" : `${fixed(mean[i] / MILLI)} ${bounds(...[low[i], high[i]].map((v) => v === null ? null : v / MILLI))}`)]);
    fillTable("curves", ["recommender", ...stops.map((i) => `at ${Math.round(100 * xs[i])} %`)], table);
    const last = Object.entries(lines).map(([key, [mean]]) => [mean.at(-1), +key])
      .filter(([end]) => end !== null).sort((a, b) => a[0] - b[0]);
    const label = $('[name="view"]:checked').parentElement.textContent.trim();
    say("curves", last.length ? `For ${label}, the lowest regret at the end of the run: ${name(last[0][1])} ` +
      `(${fixed(last[0][0] / MILLI)}); the highest: ${name(last.at(-1)[1])} (${fixed(last.at(-1)[0] / MILLI)}).` : "");
    return draw("curves", { curves: rows, landmarks: LANDMARKS });
  };

  const boardRows = () => data.board.filter((row) => row.s === state.scenario && !isReference(row.r));

  const drawGroups = () => {
    const names = data.scenarios[state.scenario].groups;
    const board = boardRows().sort((a, b) => a.worst - b.worst);
    const order = new Map(board.map((row, i) => [row.r, i]));
    const worst = board.map((row) => ({ name: name(row.r), order: order.get(row.r), worst: true, number: "",
      regret: row.worst, low: row.worst_low ?? row.worst, high: row.worst_high ?? row.worst,
      what: `worst group: ${fixed(row.worst)} ${bounds(row.worst_low, row.worst_high)}` }));
    const all = data.groups.filter((row) => row.s === state.scenario && order.has(row.r));
    const dots = all.map((row) => ({ name: name(row.r), order: order.get(row.r), worst: false,
      number: String(row.g % DASHES.length), regret: row.regret,
      what: `${names[row.g]}: ${fixed(row.regret)} ${bounds(row.low, row.high)}` }));
    const cell = (r, g) => {
      const found = all.find((row) => row.r === r && row.g === g);
      return found ? `${fixed(found.regret)} ${bounds(found.low, found.high)}` : "–";
    };
    fillTable("groups", ["recommender", "worst group", ...names], board.map((row) =>
      [name(row.r), `${fixed(row.worst)} ${bounds(row.worst_low, row.worst_high)}`, ...names.map((_, g) => cell(row.r, g))]));
    $("#legend-groups").replaceChildren(...names.map((text, g) =>
      make("li", {}, symbol(g % DASHES.length, SHAPES[g % DASHES.length]), text)),
      make("li", {}, symbol(null, "┃"), "worst group, with its 95 % interval"));
    const better = board.filter((row) => row.worst > 1).length;
    say("groups", board.length ? `${name(board[0].r)} serves its worst group best (${fixed(board[0].worst)}). ` +
      (better ? `${better} of ${board.length} serve their worst group worse than random items would.`
        : `All ${board.length} serve their worst group better than random items would.`) : "");
    return draw("groups", { groups: [...dots, ...worst], landmarks: [{ at: 1 }] }, board.length);
  };

  const pointRow = (row, extra) => ({ name: name(row.r), slot: slotName(row.r), label: name(row.r),
    regret: row.regret, regret_low: row.regret_low ?? row.regret, regret_high: row.regret_high ?? row.regret,
    worst: row.worst, worst_low: row.worst_low ?? row.worst, worst_high: row.worst_high ?? row.worst, ...extra });

  const drawPareto = () => {
    const board = boardRows().sort((a, b) => a.regret - b.regret);
    const rows = board.map((row) => pointRow(row, { best: row.undominated,
      what: `everyone ${fixed(row.regret)}, worst group ${fixed(row.worst)}` }));
    fillTable("pareto", ["recommender", "everyone", "worst group", "undominated"], board.map((row) =>
      [name(row.r), `${fixed(row.regret)} ${bounds(row.regret_low, row.regret_high)}`,
        `${fixed(row.worst)} ${bounds(row.worst_low, row.worst_high)}`, row.undominated ? "yes" : "no"]));
    const front = board.filter((row) => row.undominated).map((row) => name(row.r));
    say("pareto", `Undominated: ${list(front)}. Every other recommender is worse than one of these ` +
      "on both counts, or equal on one. The marks are of the averages: neighbours whose bars overlap may swap places.");
    return draw("pareto", { pareto: rows });
  };

  const frontier = (rows) => rows.filter((a) => !rows.some((b) =>
    b.cost <= a.cost && b.regret <= a.regret && (b.cost < a.cost || b.regret < a.regret)));

  const drawCost = () => {
    const kind = chosen("cost");
    const [title, unit] = { seconds: ["Time", "s per 1,000 interactions"], mib: ["Memory", "MiB at the peak"] }[kind];
    const board = boardRows().filter((row) => row[kind] !== null && row[kind] > 0)
      .map((row) => ({ ...row, cost: row[kind] })).sort((a, b) => a.cost - b.cost);
    const best = new Set(frontier(board).map((row) => row.r));
    const rows = board.map((row) => pointRow(row, { cost: row.cost, best: best.has(row.r),
      what: `${row.cost.toPrecision(3)} ${unit}, regret ${fixed(row.regret)}` }));
    fillTable("cost", ["recommender", "s per 1,000 interactions", "peak memory, MiB", "regret, everyone"], board.map((row) =>
      [name(row.r), row.seconds === null ? "–" : row.seconds.toPrecision(3),
        row.mib === null ? "–" : row.mib.toPrecision(3), `${fixed(row.regret)} ${bounds(row.regret_low, row.regret_high)}`]));
    $("#axis-cost").textContent = `${title}: ${unit}`;
    say("cost", board.length ? `Cheapest is ${name(board[0].r)} (${board[0].cost.toPrecision(3)} ${unit}), dearest ` +
      `${name(board.at(-1).r)} (${board.at(-1).cost.toPrecision(3)}). Nothing cheaper has less regret than: ` +
      `${list(board.filter((row) => best.has(row.r)).map((row) => name(row.r)))}.` : "No costs were measured here.");
    return draw("cost", { cost: rows });
  };

  const pairsOf = (reference, measure) => data.pairs
    .filter((p) => p.s === state.scenario && p.m === measure && (p.a === reference || p.b === reference))
    .map((p) => {
      const ours = p.b === reference;
      const mirror = (value, around) => (value === null || ours ? value : around - value);
      return { r: ours ? p.a : p.b, difference: mirror(p.d, 0), low: ours ? p.low : mirror(p.high, 0),
        high: ours ? p.high : mirror(p.low, 0), chance: mirror(p.chance, 1),
        chanceLow: ours ? p.chance_low : mirror(p.chance_high, 1), chanceHigh: ours ? p.chance_high : mirror(p.chance_low, 1) };
    })
    .filter((p) => !isReference(p.r)).sort((a, b) => a.difference - b.difference);

  const verdict = (p) => (p.low === null || (p.low <= 0 && p.high >= 0) ? "cannot be told apart"
    : p.difference < 0 ? "better" : "worse");

  const drawPairs = () => {
    const reference = Number($("#reference").value);
    const pairs = pairsOf(reference, chosen("measure"));
    const rows = pairs.map((p, order) => ({ name: name(p.r), order, difference: p.difference,
      low: p.low ?? p.difference, high: p.high ?? p.difference, apart: verdict(p) !== "cannot be told apart",
      what: `${signed(p.difference)} ${bounds(p.low, p.high, signed)}: ${verdict(p)}` }));
    fillTable("pairs", ["recommender", "difference", "95 % interval", "verdict", "probability of improvement"],
      pairs.map((p) => [name(p.r), signed(p.difference), bounds(p.low, p.high, signed), verdict(p),
        `${fixed(p.chance, 2)} ${p.chanceLow === null ? "" : bounds(p.chanceLow, p.chanceHigh, (v) => fixed(v, 2))}`]));
    const count = (word) => pairs.filter((p) => verdict(p) === word).length;
    say("pairs", `Against ${name(reference)}: ${count("better")} better, ${count("worse")} worse, ` +
      `${count("cannot be told apart")} that cannot be told apart from it.`);
    return draw("pairs", { pairs: rows, landmarks: [{ at: 0 }] }, pairs.length);
  };

  const drawProfile = () => {
    const everywhere = chosen("scope") === "all" && data.profiles.all;
    const lines = withoutReferences((everywhere ? data.profiles.all : data.profiles[state.scenario]) || {});
    const rows = lineRows(lines, data.thresholds, "share of runs")
      .map(({ x, y, ...row }) => ({ ...row, threshold: x, share: y, what: `regret below ${x}: ${row.what}` }));
    const stops = data.thresholds.map((t, i) => [t, i]).filter(([t]) => Math.abs(t * 5 - Math.round(t * 5)) < 1e-9);
    fillTable("profile", ["recommender", ...stops.map(([t]) => `below ${t}`)], Object.entries(lines)
      .map(([key, [share]]) => [name(+key), ...stops.map(([, i]) => fixed(share[i] / MILLI, 2))]));
    const middle = data.thresholds.reduce((b, t, i) => Math.abs(t - 0.4) < Math.abs(data.thresholds[b] - 0.4) ? i : b, 0);
    const best = Object.entries(lines).sort((a, b) => b[1][0][middle] - a[1][0][middle])[0];
    say("profile", best ? `A regret below ${data.thresholds[middle]} is reached most often by ${name(+best[0])}: in ` +
      `${Math.round(best[1][0][middle] / 10)} % of its runs${everywhere ? " over all scenarios" : ""}. The line that is higher is better.` : "");
    return draw("profile", { profile: rows });
  };

  const FIGURES = { curves: drawCurves, groups: drawGroups, pareto: drawPareto, cost: drawCost, pairs: drawPairs, profile: drawProfile };
  const COLOURED = ["curves", "pareto", "cost", "profile"];

  // ---- which are in colour ---------------------------------------------------------------------
  const symbol = (slot, text) => {
    const mark = make("span", { class: "mark", "aria-hidden": "true" }, text);
    if (slot !== null) mark.style.color = `var(--series-${slot})`;
    return mark;
  };

  const stroke = (slot) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const line = document.createElementNS(space, "line");
    for (const [k, v] of Object.entries({ width: 28, height: 10, "aria-hidden": "true", class: "stroke" })) svg.setAttribute(k, v);
    for (const [k, v] of Object.entries({ x1: 0, x2: 28, y1: 5, y2: 5, "stroke-width": 2.6, "stroke-dasharray": DASHES[slot] || "none" })) line.setAttribute(k, v);
    line.style.stroke = `var(--series-${slot})`;
    svg.append(line);
    return svg;
  };

  const showPicks = () => {
    const items = (draws) => state.slots.flatMap((r, slot) =>
      r === null ? [] : [make("li", {}, draws(slot), name(r))]);
    for (const figure of COLOURED) {
      const lines = figure === "curves" || figure === "profile";
      $(`#legend-${figure}`).replaceChildren(...items((slot) => lines ? stroke(slot) : symbol(slot, SHAPES[slot])),
        make("li", { class: "quiet" }, lines ? "thin and grey: the others" : "grey: the others",
          ...(lines ? [] : ["; ringed: undominated"])));
    }
    const full = state.slots.every((r) => r !== null);
    for (const box of $$('[name="pick"]')) {
      box.checked = slotOf(Number(box.value)) >= 0;
      box.disabled = full && !box.checked;
    }
  };

  const pick = (event) => {
    const recommender = Number(event.target.value);
    const slot = event.target.checked ? state.slots.indexOf(null) : slotOf(recommender);
    if (slot < 0) return;
    state.slots[slot] = event.target.checked ? recommender : null;
    showPicks();
    for (const figure of COLOURED) redraw(figure);
  };

  // ---- leaderboard -----------------------------------------------------------------------------
  const board = $("#board");
  const filterBoard = () => {
    const wanted = ["family", "told", "variant"].map((trait) => [trait, $(`#filter-${trait}`).value]);
    const words = $("#filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const everywhere = $("#filter-everywhere").checked;
    let shown = 0;
    const rows = $$("tbody tr", board);
    for (const row of rows) {
      const here = everywhere || Number(row.dataset.scenario) === state.scenario;
      const fits = wanted.every(([trait, value]) => !value || row.dataset[trait] === value);
      const text = row.textContent.toLowerCase();
      row.hidden = !(here && fits && words.every((word) => text.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    board.classList.toggle("one-scenario", !everywhere);
    $("#board-count").textContent = `${shown} of ${rows.length} rows shown`;
  };

  const sortBoard = (head, direction) => {
    const column = [...head.parentElement.children].indexOf(head);
    const key = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
    const numeric = head.dataset.kind === "number";
    const sign = direction === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (!numeric) return sign * x.localeCompare(y);
      return (x === "") - (y === "") || sign * (x - y);  // what is missing comes last, either way
    };
    for (const other of $$("th[aria-sort]", board)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    $("tbody", board).append(...$$("tbody tr", board).sort(compare));
  };

  for (const button of $$("th button", board)) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      sortBoard(head, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
    });
  }

  // ---- a change of anything ----------------------------------------------------------------------
  const fill = (select, recommenders, preferred) => {
    const kept = recommenders.includes(preferred) ? preferred : recommenders[0];
    select.replaceChildren(...recommenders.map((r) => make("option", { value: r }, name(r))));
    if (kept !== undefined) select.value = kept;
  };

  const showViews = () => {
    const groups = data.scenarios[state.scenario].groups;
    const kept = $('[name="view"]:checked')?.value ?? "all";
    const options = [["all", "everyone"], ...groups.map((text, g) => [String(g), text]), ["worst", "worst group"]];
    const now = options.some(([value]) => value === kept) ? kept : "all";
    $("#views").replaceChildren(...options.map(([value, text]) => {
      const input = make("input", { type: "radio", name: "view", value });
      input.checked = value === now;
      return make("label", {}, input, make("span", {}, text));
    }));
  };

  const visible = new Set();
  const stale = new Set(Object.keys(FIGURES));
  const redraw = (figure) => {
    stale.add(figure);
    if (!visible.has(figure)) return;
    stale.delete(figure);
    FIGURES[figure]().catch((error) => {
      say(figure, `This figure could not be drawn: ${error.message}`);
      console.error(error);
    });
  };

  const showScenario = () => {
    for (const element of $$("[data-of-scenario]")) {
      element.hidden = Number(element.dataset.ofScenario) !== state.scenario;
    }
    for (const element of $$(".scenario-name")) element.textContent = data.scenarios[state.scenario].name;
    showViews();
    fill($("#reference"), [...new Set(boardRows().sort((a, b) => a.regret - b.regret).map((row) => row.r))],
      Number($("#reference").value || data.reference));
    filterBoard();
    Object.keys(FIGURES).forEach(redraw);
  };

  $("#scenario").addEventListener("change", (event) => {
    state.scenario = Number(event.target.value);
    showScenario();
  });
  for (const control of $$("#filters input, #filters select")) control.addEventListener("input", filterBoard);
  $("#views").addEventListener("change", () => redraw("curves"));
  $("#costs").addEventListener("change", () => redraw("cost"));
  $("#scopes").addEventListener("change", () => redraw("profile"));
  $("#measures").addEventListener("change", () => redraw("pairs"));
  $("#reference").addEventListener("change", () => redraw("pairs"));
  for (const box of $$('[name="pick"]')) box.addEventListener("change", pick);

  // Figures are drawn when they come near, so that a long page opens at once.
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      const figure = target.dataset.figure;
      if (!isIntersecting || visible.has(figure)) continue;
      visible.add(figure);
      if (stale.has(figure)) redraw(figure);
    }
  }, { rootMargin: "600px" });

  $("#scenario").value = "0";
  showPicks();
  showScenario();
  sortBoard($('#board th[data-first]'), "ascending");
  for (const figure of $$("[data-figure]")) watcher.observe(figure);
  window.addEventListener("beforeprint", () => Object.keys(FIGURES).forEach((figure) => { visible.add(figure); redraw(figure); }));
})();
