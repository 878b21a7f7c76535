// Parallel coordinates: drag along an axis to keep the trials that pass there, in all other views, too.
function parallelView(place) {
  const rows = everyRow().filter((row) => trials.score[row] !== null);
  const reset = element("button", { type: "button", textContent: "all trials" }), note = element("span");
  const plot = element("div", { className: "plot narrow" });
  place.append(element("div", { className: "controls" }, "Drag along an axis to keep trials; click it to undo.", reset, note), element("div", { className: "wide" }, plot));

  function levels(address) {
    const known = [...new Set(rows.map((row) => run.values[address][row]).filter((value) => value !== null))];
    return known.sort((one, other) => (typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other))));
  }

  function dimension(address) {
    const known = levels(address), place = new Map(known.map((value, index) => [value, index]));
    const off = rows.some((row) => run.values[address][row] === null);
    const named = known.length <= 8 ? known.map((_, index) => index) : [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * (known.length - 1))))];
    return {
      label: short(address), range: [off ? -1 : 0, Math.max(1, known.length - 1)], values: rows.map((row) => (run.values[address][row] === null ? -1 : place.get(run.values[address][row]))),
      tickvals: [...(off ? [-1] : []), ...named], ticktext: [...(off ? ["off"] : []), ...named.map((index) => words(known[index]))],
    };
  }

  function macs() {
    const values = rows.map((row) => Math.log10(Math.max(1, trials.macs[row]))), range = [Math.min(...values), Math.max(...values)];
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => range[0] + share * (range[1] - range[0]));
    return { label: "macs", values, range, tickvals: ticks, ticktext: ticks.map((tick) => amount(10 ** tick)) };
  }

  const score = { label: "score", values: rows.map((row) => trials.score[row]), tickformat: ".0%" };
  const dimensions = [...run.axes.filter((address) => address in run.values).map(dimension), macs(), score];

  function draw() {
    const low = Math.min(...score.values), high = Math.max(...score.values);
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    Plotly.react(plot, [{
      type: "parcoords", dimensions, line: { color: score.values, colorscale: LATER, cmin: low, cmax: high }, labelangle: -18, labelside: "top",
      labelfont: { size: 12, color: ink }, tickfont: { size: 11, color: ink }, rangefont: { size: 1, color: "rgba(0,0,0,0)" }, unselected: { line: { opacity: 0.06 } },
    }], layout({ margin: { l: 70, r: 50, t: 90, b: 20 } }), { ...CONFIG, displayModeBar: false, responsive: false });
  }

  function passes(dimension, index) {
    const range = dimension.constraintrange;
    if (!range || !range.length) return true;
    const parts = Array.isArray(range[0]) ? range : [range];
    return parts.some(([low, high]) => dimension.values[index] >= low && dimension.values[index] <= high);
  }

  function brushed() {
    const now = plot.data[0].dimensions, active = now.some((one) => one.constraintrange && one.constraintrange.length);
    state.rows = active ? new Set(rows.filter((_, index) => now.every((one) => passes(one, index)))) : null;
    note.textContent = active ? `${state.rows.size} of ${rows.length} trials are kept` : "";
    update();
  }

  reset.addEventListener("click", () => {
    dimensions.forEach((one) => { delete one.constraintrange; });
    Plotly.purge(plot);
    start();
    state.rows = null;
    note.textContent = "";
    update();
  });
  function start() {
    draw();
    plot.on("plotly_restyle", brushed);
  }
  start();
  place.redraw = draw;
  return () => {};
}
