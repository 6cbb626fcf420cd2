"use strict";
// The table's filter, and the charts, which are redrawn when the filter or a menu changes.
(() => {
  const MOST_ROWS = 100; // page.css has the same number
  const MOST_CURVES = 24;
  const MOST_SETTINGS = 12;
  const SYMBOLS = ["circle", "square", "triangle", "diamond", "star", "cross"];

  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (id) => document.getElementById(id);
  const three = (value) => value.toFixed(3);
  const numbered = (row) => (row.rank === "-" ? row.checkpoint : `#${row.rank} ${row.checkpoint}`);
  const shown = new Set(data.rows.keys());

  // --- the filter ---

  const table = one("cells");
  const filters = one("filters");
  const selects = [...filters.querySelectorAll("select")];
  // A row's id holds its index in the data, which sorting does not change.
  const rows = [...table.tBodies[0].rows].map((element) => ({
    element,
    index: Number(element.id.split("-")[1]) - 1,
    text: [...element.cells].map((cell) => cell.textContent).join("\n").toLowerCase(),
    fields: selects.map((select) => element.cells[select.dataset.column].textContent),
  }));

  // If the column that sorts the table is hidden, the text names it.
  function count() {
    const by = table.tHead.querySelector("th[aria-sort]");
    const order = by && !by.checkVisibility() ? `, sorted by ${by.textContent}` : "";
    one("count").textContent = `${shown.size} of ${rows.length} rows${order}`;
  }

  function filter() {
    const words = one("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    shown.clear();
    for (const row of rows) {
      const fits =
        words.every((word) => row.text.includes(word)) &&
        selects.every((select, n) => !select.value || select.value === row.fields[n]);
      row.element.hidden = !fits;
      if (fits) shown.add(row.index);
    }
    count();
    one("more").hidden = shown.size <= MOST_ROWS || !table.classList.contains("short");
    one("more").textContent = `Show all ${shown.size} rows`;
    draw();
  }

  // Laying out a long table is slow, so it shows its first rows until the user requests all.
  function lengthen() {
    table.classList.remove("short");
    one("more").hidden = true;
  }

  // Shows the row that the address names, also if the filter or the table's length hides it.
  function reveal() {
    const row = rows.find(({ element }) => location.hash === `#${element.id}`);
    if (!row || row.element.checkVisibility()) return;
    if (row.element.hidden) {
      filters.reset();
      filter();
    }
    if (!row.element.checkVisibility()) lengthen();
    row.element.scrollIntoView();
  }

  one("more").addEventListener("click", lengthen);
  addEventListener("hashchange", reveal);
  table.addEventListener("sort-end", count);
  one("all-columns")?.addEventListener("change", count);
  one("words").addEventListener("input", filter);
  for (const select of selects) select.addEventListener("change", filter);
  filters.addEventListener("submit", (event) => event.preventDefault());
  one("everything").addEventListener("click", () => {
    filters.reset();
    filter();
  });

  // The verdicts of comparisons are in a table made from Markdown, which has no classes.
  for (const cell of document.querySelectorAll(".long td")) {
    if (/^better /.test(cell.textContent)) cell.classList.add("pass");
    if (/^worse /.test(cell.textContent)) cell.classList.add("fail");
  }

  // --- the charts ---

  // Each of the best checkpoints has its own colour and symbol; all others share one.
  const ranked = [...new Set(data.rows.filter((row) => row.mcc !== null).map((row) => row.checkpoint))];
  const named = ranked.slice(0, ranked.length > SYMBOLS.length ? SYMBOLS.length - 1 : SYMBOLS.length);
  const series = (row) => {
    const index = named.indexOf(row.checkpoint);
    return index < 0 ? "rest" : String(index);
  };
  const colour = (row) => `var(--series-${series(row)})`;
  const symbol = (row) => SYMBOLS[series(row)] ?? SYMBOLS[SYMBOLS.length - 1];

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  // A name's parts, between which a line may break; page.py does the same.
  const parts = (name) =>
    name.split(/(?<=[/_])(?=[^/_])/).flatMap((part, n) => (n ? [element("wbr", {}), part] : [part]));

  function key(visible) {
    const list = element("ul", { className: "key" });
    const names = named.filter((name) => visible.some((row) => row.checkpoint === name));
    const entries = names.map((name) => [name, visible.find((row) => row.checkpoint === name)]);
    const rest = visible.find((row) => series(row) === "rest");
    if (rest) entries.push(["other checkpoints", rest]);
    for (const [name, row] of entries) {
      const shape = symbol(row).replace(/^./, (letter) => letter.toUpperCase());
      const mark = d3.create("svg").attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true");
      mark.append("path").attr("d", d3.symbol(d3[`symbol${shape}`], 110)()).attr("fill", colour(row));
      list.append(element("li", {}, mark.node(), element("span", {}, ...parts(name))));
    }
    return list;
  }

  function drawSpeed() {
    const column = one("speed-column").value;
    const group = one("speed-group").value;
    const points = data.rows
      .map((row, index) => ({ ...row, index, speed: row[column] }))
      .filter((row) => row.mcc !== null && row.speed !== null && String(row.group) === group);
    if (!points.length) {
      one("speed-equal").textContent = "";
      one("speed-chart").replaceChildren("Nothing was measured.");
      return;
    }
    const equal = data.equal[column][group];
    one("speed-equal").textContent = `Here, ${equal}.`;
    const front = points.filter((row) => row.fronts.includes(column));
    const ticks = data.ticks[column][group]; // only for a logarithmic axis
    const opacity = (row) => (shown.has(row.index) ? 1 : 0.15);
    const dots = { x: "speed", y: "mcc", r: 5, fill: colour, symbol, fillOpacity: opacity, stroke: "var(--background)" };
    const title = (row) =>
      [numbered(row), row.settings, `MCC ${row.texts.mcc}`,
        ...(row.low === null ? [] : [`95 % interval ${row.texts.mcc_low}`]),
        `${data.speeds[column]}: ${row.texts[column]}`,
        ...(row.apart.includes(column) ? ["speed cannot be compared: times of its seeds differ by more than a third, or by circumstances"] : [])].join("\n");
    // Label positions are computed for these widths.
    const room = one("speed-chart").clientWidth || 960;
    const width = data.widths.find((one) => one <= room) ?? data.widths.at(-1);
    const label = (row) => {
      const [dx, dy] = row.labels[column][width];
      return Plot.text([row], { x: "speed", y: "mcc", text: () => `#${row.rank}`, dx, dy, textAnchor: "middle", fill: "currentColor", stroke: "var(--background)", strokeWidth: 4, fillOpacity: opacity });
    };
    const chart = Plot.plot({
      width,
      height: Math.round(Math.min(480, width * 0.75)),
      marginLeft: 48, marginRight: 24, marginTop: 28, marginBottom: 40,
      ariaLabel: "Speed and quality of every cell",
      style: { background: "transparent", color: "inherit" },
      x: { label: data.speeds[column], domain: data.ranges[column][group], inset: ((width - 72) * data.margin) / (1 + 2 * data.margin), ...(ticks ? { type: "log", ticks, tickFormat: String } : { type: "linear" }) },
      y: { label: "MCC", grid: true, inset: 8, ticks: 7 },
      opacity: { type: "identity" },
      marks: [
        Plot.line(front, { x: "speed", y: "mcc", sort: "speed", curve: "step-after", strokeDasharray: "5 4", strokeOpacity: 0.6 }),
        Plot.ruleX(points.filter((row) => row.low !== null), {
          // Not strokeOpacity: it would not apply to the ticks at the ends.
          x: "speed", y1: "low", y2: "high", stroke: colour, strokeOpacity: 0.7, opacity, marker: "tick",
        }),
        Plot.dot(points.filter((row) => !row.fronts.includes(column) && !row.apart.includes(column)), dots),
        Plot.dot(points.filter((row) => row.apart.includes(column)), { ...dots, fill: "none", stroke: colour, strokeOpacity: opacity }),
        Plot.dot(front, { ...dots, r: 7, href: (row) => `#cells-${row.index + 1}`, ariaLabel: title }),
        ...points.filter((row) => row.labels[column]?.[width]).map(label),
        Plot.tip(points, Plot.pointer({ x: "speed", y: "mcc", title, maxRadius: 30 })),
      ],
    });
    one("speed-chart").replaceChildren(key(points), chart);
  }

  function drawCurves() {
    const visible = data.rows.filter((row, index) => shown.has(index) && row.curves.length);
    const drawn = visible.slice(0, MOST_CURVES);
    one("curves-shown").textContent =
      visible.length > drawn.length
        ? `The best ${drawn.length} of ${visible.length} cells; filter the table to see others.`
        : "";
    const values = drawn.flatMap((row) => row.curves.flatMap((curve) => curve.mcc));
    const last = Math.max(...drawn.map((row) => Math.max(...row.curves.map((curve) => curve.mcc.length))));
    const domain = [Math.min(0, ...values), Math.max(...values)];
    one("curves-charts").replaceChildren(...drawn.map((row) => {
      const points = row.curves.flatMap((curve) =>
        curve.mcc.map((mcc, n) => ({ seed: curve.seed, epoch: n + 1, mcc, selected: curve.selected === n + 1 })));
      const chart = Plot.plot({
        width: 240, height: 150, marginLeft: 34, marginBottom: 30, marginTop: 8, marginRight: 8,
        ariaLabel: `Learning curves of ${row.label}`,
        style: { background: "transparent", color: "inherit" },
        x: { domain: [1, Math.max(2, last)], ticks: d3.range(1, last + 1, Math.ceil(last / 6)), tickFormat: "d", label: "epoch" },
        y: { domain, nice: true, grid: true, ticks: 4, label: null },
        marks: [
          Plot.ruleY([0], { strokeOpacity: 0.3 }),
          Plot.line(points, { x: "epoch", y: "mcc", z: "seed", stroke: colour(row), strokeWidth: 1.75, strokeOpacity: 0.85 }),
          Plot.dot(points.filter((point) => point.selected), { x: "epoch", y: "mcc", r: 3.5, fill: colour(row) }),
          Plot.tip(points, Plot.pointer({ x: "epoch", y: "mcc", title: (point) => `seed ${point.seed}, epoch ${point.epoch}\nMCC ${three(point.mcc)}` })),
        ],
      });
      const caption = element("figcaption", {}, ...parts(`${numbered(row)} `), element("small", {}, row.settings));
      return element("figure", {}, caption, chart);
    }));
  }

  function drawSettings() {
    const cells = data.rows.filter((row, index) => shown.has(index) && row.mcc !== null);
    const names = [...new Set(cells.map((row) => row.checkpoint))];
    const drawn = names.slice(0, MOST_SETTINGS);
    one("settings-shown").textContent =
      names.length > drawn.length
        ? `The best ${drawn.length} of ${names.length} checkpoints; filter the table to see others.`
        : "";
    const ordered = (field) => [...new Set(cells.map((row) => row[field]))].sort((a, b) => a - b);
    const range = [Math.min(...cells.map((row) => row.mcc)), Math.max(...cells.map((row) => row.mcc))];
    const middle = (range[0] + range[1]) / 2;
    const batches = ordered("batch_size");
    one("settings-charts").replaceChildren(...drawn.map((name) => {
      const group = cells.filter((row) => row.checkpoint === name);
      const chart = Plot.plot({
        width: 340, height: 70 + 36 * batches.length, marginLeft: 48, marginBottom: 34, marginTop: 6,
        padding: 0.04,
        ariaLabel: `MCC of ${name} by batch size and learning rate`,
        style: { background: "transparent", color: "inherit" },
        x: { type: "band", domain: ordered("learning_rate"), label: "learning rate", tickFormat: (rate) => rate.toExponential().replace("+", "") },
        y: { type: "band", domain: batches, label: null, tickFormat: (size) => String(size) },
        color: { scheme: "viridis", domain: range[0] < range[1] ? range : [range[0] - 1, range[1]] },
        marks: [
          Plot.cell(group, { x: "learning_rate", y: "batch_size", fill: "mcc" }),
          Plot.text(group, { x: "learning_rate", y: "batch_size", text: (row) => three(row.mcc), fill: (row) => (row.mcc > middle ? "#000" : "#fff"), fontSize: 12 }),
        ],
      });
      return element("figure", {}, element("figcaption", {}, ...parts(name), element("small", {}, "batch size on the vertical axis")), chart);
    }));
  }

  function draw() {
    if (!one("speed-chart")) return;
    drawSpeed();
    drawCurves();
    drawSettings();
  }

  function offerGroups() {
    const column = one("speed-column").value;
    const sizes = data.groups.map((_, n) => data.rows.filter((row) => row.group === n && row[column] !== null).length);
    const groups = [...data.groups.keys()].filter((n) => sizes[n]).sort((a, b) => sizes[b] - sizes[a]);
    one("speed-group").replaceChildren(...groups.map((n) =>
      element("option", { value: String(n) }, `${data.groups[n]} (${sizes[n]} cells)`)));
  }

  if (one("speed-chart")) {
    offerGroups();
    one("speed-column").addEventListener("change", () => { offerGroups(); drawSpeed(); });
    one("speed-group").addEventListener("change", drawSpeed);
    let width = one("speed-chart").clientWidth;
    new ResizeObserver(() => {
      if (one("speed-chart").clientWidth === width) return;
      width = one("speed-chart").clientWidth;
      drawSpeed();
    }).observe(one("speed-chart"));
  }
  if (rows.length > MOST_ROWS) table.classList.add("short");
  filter();
  reveal();
})();
