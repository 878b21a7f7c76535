// The run, how its values are written, and what is selected; every view reads this and answers to it.
const run = JSON.parse(document.getElementById("run").textContent);
const trials = run.trials, count = trials.number.length;
const rowOf = new Map(trials.number.map((number, row) => [number, row]));
const state = { rows: null, picked: null };  // rows: a Set of those that pass all filters, null for all
const views = [];

const COSTS = { macs: "macs of one image", params: "parameters", activations: "activations of one image", latency_ms: "latency, ms" };

function amount(value) {
  for (const [suffix, unit] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (Math.abs(value) >= unit) return Number((value / unit).toPrecision(3)) + suffix;
  return String(Number(value.toPrecision(3)));
}

function words(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(4)));
}

// Plotly reads a few tags in texts: names are people's.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const percent = (share) => (100 * share).toFixed(1) + " %";
const short = (address) => address.replace(/^(architecture|recipe|pretraining|adaptation)\./, "");

function costLines(values) {
  return Object.keys(COSTS).filter((cost) => typeof values[cost] === "number")
    .map((cost) => `${COSTS[cost].replace(" of one image", "")}: ${cost === "latency_ms" ? words(values[cost]) : amount(values[cost])}`);
}

function recipeLines(recipe) {
  return Object.entries(recipe).filter(([address, value]) => address.startsWith("recipe.") && value !== null)
    .map(([address, value]) => `${plain(short(address))}: ${plain(words(value))}`);
}

function valuesOf(row) {
  return Object.fromEntries(Object.entries(run.values).map(([address, column]) => [address, column[row]]));
}

function costsOf(row) {
  return Object.fromEntries(Object.keys(COSTS).filter((cost) => cost in trials).map((cost) => [cost, trials[cost][row]]));
}

function hoverOfTrial(row) {
  const lines = [`<b>trial ${trials.number[row]}</b>, round ${trials.round[row]}`];
  if (trials.score[row] !== null) lines.push(`search-validation: ${percent(trials.score[row])}, ${trials.epochs_run[row]} epochs`);
  if (run.predicted.mean[row] !== null)
    lines.push(`predicted: ${percent(run.predicted.mean[row])} (${percent(run.predicted.low[row])} to ${percent(run.predicted.high[row])})`);
  return [...lines, ...costLines(costsOf(row)), ...recipeLines(valuesOf(row))].join("<br>");
}

function hoverOfNetwork(network, isMember) {
  const lines = [`<b>${plain(network.name)}</b>`];
  for (const [split, name] of [["search", "search-validation"], ["test", "test"]]) {
    const [share, low, high] = network[split];
    if (share !== null) lines.push(`${name}: ${percent(share)}` + (low === null ? "" : ` (95 %: ${percent(low)} to ${percent(high)})`));
  }
  lines.push(...costLines(network));
  if (isMember) lines.push(...recipeLines(run.recipes[network.name] || {}), `folder: ${plain(run.folder)}/${plain(network.name)}`);
  return lines.join("<br>");
}

const shown = (row) => state.rows === null || state.rows.has(row);
const everyRow = () => [...Array(count).keys()];
const update = () => views.forEach((view) => view());

function pick(row) {
  state.picked = state.picked === row ? null : row;
  update();
}

// ---- Elements

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function chooser(label, options, onChoice) {
  const select = element("select", {}, ...options.map(([value, text]) => element("option", { value, textContent: text })));
  select.addEventListener("change", () => onChoice(select.value));
  return element("label", {}, `${label} `, select);
}

// ---- Plots in the page's colours

const BLUE = "#3d85c6", ORANGE = "#e07b00", GREEN = "#2a9d6f", PURPLE = "#a45fc4", GREY = "#8d949e";
const LATER = [[0, "#7d5bd6"], [0.5, GREEN], [1, "#eda100"]];
const narrow = () => document.documentElement.clientWidth < 700;
const CONFIG = { displayModeBar: narrow() ? false : "hover", responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]], toImageButtonOptions: { format: "svg" } };

function layout(changes) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line, panel] = ["--ink", "--line", "--panel"].map((name) => style.getPropertyValue(name).trim());
  const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true };
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, family: "system-ui, sans-serif", size: 13 },
    hoverlabel: { bgcolor: panel, bordercolor: line, font: { color: ink, size: 12 }, align: "left" }, hovermode: "closest",
    margin: { l: narrow() ? 40 : 60, r: 16, t: 40, b: 50 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: narrow() ? 11 : 13 } }, modebar: { orientation: "v", color: GREY, bgcolor: "rgba(0,0,0,0)" },
  };
  return { ...base, ...changes, xaxis: { ...axis, ...changes.xaxis }, yaxis: { ...axis, ...changes.yaxis } };
}
