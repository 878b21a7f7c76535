// Accuracy against a cost: trials, members and references; a click leads to a member's card or shows a trial's values.
function frontView(place) {
  const costs = Object.keys(COSTS).filter((cost) => [...run.members, ...run.references].some((one) => one[cost] != null) || (trials[cost] || []).some((value) => value !== null));
  const choice = { cost: costs[0], split: "search" };
  const tested = run.members.some((one) => one.test[0] !== null);
  const plot = element("div", { className: "plot" }), note = element("span"), detail = element("div", { className: "detail", hidden: true });
  detail.setAttribute("aria-live", "polite");
  const controls = element("div", { className: "controls" }, chooser("cost", costs.map((cost) => [cost, COSTS[cost]]), (value) => { choice.cost = value; draw(); }));
  if (tested) controls.append(chooser("accuracy on", [["search", "search-validation"], ["test", "test images"]], (value) => { choice.split = value; draw(); }));
  controls.append(note);
  place.append(controls, plot, detail);

  function trialTraces() {
    if (choice.split === "test" || !(choice.cost in trials)) return [];
    const rows = everyRow().filter((row) => trials.score[row] !== null && trials[choice.cost][row] !== null);
    const trace = (name, chosen, marker) => ({
      type: "scatter", mode: "markers", name, x: chosen.map((row) => trials[choice.cost][row]), y: chosen.map((row) => trials.score[row]),
      text: chosen.map(hoverOfTrial), hovertemplate: "%{text}<extra></extra>", customdata: chosen.map((row) => ({ row })), marker,
    });
    const pickedRows = rows.filter((row) => row === state.picked);
    return [
      trace("trial", rows.filter(shown), { color: GREY, size: 6, opacity: 0.65 }), frontTrace(rows.filter(shown)),
      ...(pickedRows.length ? [trace("picked trial", pickedRows, { color: GREEN, size: 13, symbol: "circle-open", line: { width: 3 } })] : []),
    ];
  }

  function frontTrace(rows) {
    const x = [], y = [];
    let best = -1;
    for (const row of [...rows].sort((one, other) => trials[choice.cost][one] - trials[choice.cost][other] || trials.score[other] - trials.score[one]))
      if (trials.score[row] > best) { best = trials.score[row]; x.push(trials[choice.cost][row]); y.push(best); }
    return { type: "scatter", mode: "lines", name: "front of the trials", x, y, line: { shape: "hv", color: BLUE, width: 1.5 }, hoverinfo: "skip" };
  }

  function networkTrace(networks, name, isMember, look) {
    const known = networks.filter((one) => one[choice.cost] != null && one[choice.split][0] !== null);
    const parts = known.map((one) => one[choice.split]);
    return {
      type: "scatter", name, x: known.map((one) => one[choice.cost]), y: parts.map(([share]) => share),
      error_y: { type: "data", symmetric: false, array: parts.map(([share, , high]) => (high ?? share) - share), arrayminus: parts.map(([share, low]) => share - (low ?? share)), thickness: 1.1, width: 3, color: look.marker.color },
      text: known.map((one) => hoverOfNetwork(one, isMember)), hovertemplate: "%{text}<extra></extra>",
      customdata: known.map((one) => (isMember ? { member: one.name } : {})), ...look,
    };
  }

  function ticks(values) {
    const low = Math.min(...values), high = Math.max(...values), decades = Math.log10(high / low);
    const steps = decades < 1.5 ? [1, 2, 5] : decades < 3.5 ? [1, 3] : [1], tickvals = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) tickvals.push(...steps.map((step) => step * 10 ** power));
    return { tickvals, ticktext: tickvals.map(amount) };
  }

  function draw() {
    const traces = [
      ...trialTraces(),
      networkTrace(run.references, "reference, 95 %", false, { mode: "markers", marker: { color: PURPLE, symbol: "diamond-open", size: 9 } }),
      networkTrace(run.members, "family, 95 %", true, { mode: "markers", marker: { color: ORANGE, symbol: "star", size: 15 } }),
    ].filter((trace) => trace.x.length);
    const scores = traces.filter((trace) => trace.error_y || trace.mode === "markers").flatMap((trace) => trace.y).sort((one, other) => one - other);
    const low = scores[Math.floor(0.1 * scores.length)], high = scores[scores.length - 1];
    const floor = low - 0.6 * (high - low) - 0.01;
    const lines = choice.cost === "macs" ? run.budgets.map((budget) => ({ type: "line", x0: budget, x1: budget, yref: "paper", y0: 0, y1: 1, line: { color: GREY, width: 0.6, dash: "dot" }, layer: "below" })) : [];
    note.textContent = choice.split === "test" ? "trials never saw the test images" : lines.length ? "dotted: budgets" : "";
    Plotly.react(plot, traces, layout({
      xaxis: { type: "log", title: { text: COSTS[choice.cost] }, ...ticks(traces.flatMap((trace) => trace.x)) },
      yaxis: { tickformat: ".0%", title: { text: "accuracy" }, ...(scores[0] < floor ? { range: [floor, Math.min(1.005, high + 0.02)] } : {}) },
      shapes: lines,
    }), CONFIG);
    showDetail();
  }

  function showDetail() {
    detail.hidden = state.picked === null;
    if (detail.hidden) return;
    const row = state.picked, facts = [["state", trials.state[row]], ["score", words(trials.score[row])], ["epochs", trials.epochs_run[row]], ["seconds", words(trials.seconds[row])]];
    const values = Object.entries(valuesOf(row)).filter(([, value]) => value !== null);
    const costs = Object.entries(costsOf(row)).map(([cost, value]) => [COSTS[cost], words(value)]);
    const pairs = [...facts, ...costs, ...values.map(([address, value]) => [address, words(value)])];
    if (trials.error[row]) pairs.push(["error", trials.error[row]]);
    detail.replaceChildren(element("strong", { textContent: `Trial ${trials.number[row]}` }),
      element("dl", {}, ...pairs.map(([term, value]) => element("div", {}, element("dt", { textContent: term }), element("dd", { textContent: value })))));
  }

  draw();
  plot.on("plotly_click", ({ points: [point] }) => {
    if (point.customdata?.member) location.hash = point.customdata.member;
    else if (point.customdata?.row !== undefined) pick(point.customdata.row);
  });
  return draw;
}
