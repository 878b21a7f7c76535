// Learning curves: one line for each trial, one entry of the legend for each round; a click picks the trial.
function curvesView(place) {
  const plot = element("div", { className: "plot" });
  place.append(plot);
  const rows = everyRow().filter((row) => String(trials.number[row]) in run.curves);
  const rounds = [...new Set(rows.map((row) => trials.round[row]))].sort((one, other) => one - other);

  function lineOf(chosen, look) {
    const x = [], y = [], customdata = [];
    for (const row of chosen) {
      const [epochs, accuracies] = run.curves[trials.number[row]];
      x.push(...epochs, null);
      y.push(...accuracies, null);
      customdata.push(...epochs.map(() => row), null);
    }
    return { type: "scatter", mode: "lines+markers", x, y, customdata, connectgaps: false, hovertemplate: "epoch %{x}: %{y:.1%}, trial %{text}<extra></extra>", text: customdata.map((row) => (row === null ? "" : trials.number[row])), ...look };
  }

  function colour(round) {
    const span = Math.max(1, rounds[rounds.length - 1] - rounds[0]), share = (round - rounds[0]) / span;
    const [from, to, part] = share < 0.5 ? [0x7d5bd6, 0x2a9d6f, share * 2] : [0x2a9d6f, 0xeda100, share * 2 - 1];
    return `rgb(${[16, 8, 0].map((shift) => Math.round(((from >> shift) & 255) * (1 - part) + ((to >> shift) & 255) * part)).join(",")})`;
  }

  function draw() {
    const traces = rounds.map((round) => lineOf(rows.filter((row) => trials.round[row] === round && shown(row)), {
      name: `round ${round}`, line: { color: colour(round), width: 1 }, marker: { size: 3 }, opacity: state.picked === null ? 0.75 : 0.25,
    }));
    if (state.picked !== null && rows.includes(state.picked))
      traces.push(lineOf([state.picked], { name: `trial ${trials.number[state.picked]}`, line: { color: ORANGE, width: 3 }, marker: { size: 6 } }));
    Plotly.react(plot, traces, layout({ xaxis: { title: { text: "epoch" } }, yaxis: { title: { text: "accuracy on search-validation" }, tickformat: ".0%" } }), CONFIG);
  }

  draw();
  plot.on("plotly_click", ({ points: [point] }) => { if (point.customdata !== null && point.customdata !== undefined) pick(point.customdata); });
  return draw;
}
