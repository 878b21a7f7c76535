// All trials as a table: a click on a heading sorts, words and comparisons such as macs<20k or score>=.95 filter.
function trialsView(place) {
  const FIRST = 100;
  const base = ["number", "state", "round", "score", "macs", "params", "latency_ms", "epochs_run", "seconds"].filter((name) => name in trials);
  if ((trials.origin || []).some(Boolean)) base.splice(3, 0, "origin");
  const choice = { sort: "score", down: true, filter: "", every: false, role: "recipe." };
  const body = element("tbody"), head = element("tr"), note = element("span");
  const filter = element("input", { type: "search", placeholder: "filter: macs<20k  score>=.95  adamw" });
  filter.setAttribute("aria-label", "Filter the trials");
  const more = element("button", { type: "button" });
  const roles = [["recipe.", "recipe"], ["architecture.", "architecture"], ["", "all values"], [null, "no values"]].map(([value, text]) => [String(value), text]);
  place.append(
    element("div", { className: "controls" }, filter, chooser("columns", roles, (value) => { choice.role = value === "null" ? null : value; draw(); }), note, more),
    element("div", { className: "wide rows", tabIndex: 0 }, element("table", { className: "data" }, element("thead", {}, head), body)),
  );
  filter.addEventListener("input", () => { choice.filter = filter.value; draw(); });
  more.addEventListener("click", () => { choice.every = !choice.every; draw(); });

  const columns = () => [...base, ...(choice.role === null ? [] : Object.keys(run.values).filter((address) => address.startsWith(choice.role)))];
  const valueOf = (name, row) => (name in trials ? trials[name][row] : run.values[name][row]);

  function number(text) {
    const match = /^([0-9.]+(?:e-?[0-9]+)?)([kmg]?)$/i.exec(text);
    return match ? Number(match[1]) * { "": 1, k: 1e3, m: 1e6, g: 1e9 }[match[2].toLowerCase()] : null;
  }

  function test(term) {
    const match = /^([\w.]+)(<=|>=|<|>|=)(.+)$/.exec(term);
    const every = [...Object.keys(trials), ...Object.keys(run.values)];
    const name = match && every.find((one) => one === match[1] || short(one) === match[1]);
    if (!name) {
      const part = term.toLowerCase();
      return (row) => every.some((one) => typeof valueOf(one, row) === "string" && valueOf(one, row).toLowerCase().includes(part));
    }
    const limit = number(match[3]);
    return (row) => {
      const value = valueOf(name, row);
      if (value === null) return false;
      if (typeof value !== "number" || limit === null) return match[2] === "=" && String(value) === match[3];
      return { "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit, "=": value === limit }[match[2]];
    };
  }

  function compare(one, other) {
    const [first, second] = [valueOf(choice.sort, one), valueOf(choice.sort, other)];
    if (first === null || second === null) return (first === null) - (second === null);
    const order = typeof first === "number" && typeof second === "number" ? first - second : String(first).localeCompare(String(second));
    return choice.down ? -order : order;
  }

  function draw() {
    const tests = choice.filter.split(/\s+/).filter(Boolean).map(test);
    const rows = everyRow().filter((row) => shown(row) && tests.every((passes) => passes(row))).sort(compare);
    const visible = choice.every ? rows : rows.slice(0, FIRST), names = columns();
    head.replaceChildren(...names.map((name) => {
      const heading = element("th", { scope: "col", textContent: short(name).replaceAll("_", " ") + (name === choice.sort ? (choice.down ? " ▾" : " ▴") : ""), tabIndex: 0 });
      const sort = () => { choice.down = name === choice.sort ? !choice.down : name === "score"; choice.sort = name; draw(); };
      heading.addEventListener("click", sort);
      heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
      return heading;
    }));
    body.replaceChildren(...visible.map((row) => {
      const line = element("tr", { className: row === state.picked ? "picked" : "" }, ...names.map((name) => element("td", { textContent: words(valueOf(name, row)) })));
      line.addEventListener("click", () => pick(row));
      return line;
    }));
    note.textContent = `${rows.length} of ${count} trials`;
    more.hidden = rows.length <= FIRST;
    more.textContent = choice.every ? `first ${FIRST}` : `show all ${rows.length}`;
  }

  draw();
  return draw;
}
