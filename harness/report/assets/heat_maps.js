  function drawSettings() {
    const cells = data.rows.filter((row, index) => shown.has(index) && row.mcc !== null);
    const names = [...new Set(cells.map((row) => row.heat[0]))];
    const drawn = names.slice(0, MOST_SETTINGS);
    one("settings-shown").textContent =
      names.length > drawn.length
        ? `The best ${drawn.length} of ${names.length} maps; filter the table to see others.`
        : "";
    const { down, across } = data.heat;
    const seen = (side, place) => side.values.filter((value) => cells.some((row) => row.heat[place] === value));
    const range = [Math.min(...cells.map((row) => row.mcc)), Math.max(...cells.map((row) => row.mcc))];
    const middle = (range[0] + range[1]) / 2;
    const rows = seen(down, 1);
    const place = { x: (row) => row.heat[2], y: (row) => row.heat[1] };
    one("settings-charts").replaceChildren(...drawn.map((name) => {
      const group = cells.filter((row) => row.heat[0] === name);
      const chart = Plot.plot({
        width: 340, height: 70 + 36 * rows.length, marginLeft: 8 + 7 * Math.max(5, ...rows.map((text) => text.length)),
        marginBottom: 34, marginTop: 6, padding: 0.04,
        ariaLabel: `MCC of ${name} by ${down.name} and ${across.name}`,
        style: { background: "transparent", color: "inherit" },
        x: { type: "band", domain: seen(across, 2), label: across.name },
        y: { type: "band", domain: rows, label: null },
        color: { scheme: "viridis", domain: range[0] < range[1] ? range : [range[0] - 1, range[1]] },
        marks: [
          Plot.cell(group, { ...place, fill: "mcc" }),
          Plot.text(group, { ...place, text: (row) => three(row.mcc), fill: (row) => (row.mcc > middle ? "#000" : "#fff"), fontSize: 12 }),
        ],
      });
      return element("figure", {}, element("figcaption", {}, name, element("small", {}, `${down.name} on the vertical axis`)), chart);
    }));
  }

