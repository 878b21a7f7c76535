// What a person might do on a page, and what it shows then.
function act() {
  const type = (selector, value, event) => { const e = document.querySelector(selector); e.value = value; e.dispatchEvent(new Event(event)); };
  const names = () => all("[data-view=front] .js-plotly-plot")[0].data.map((trace) => trace.name);
  const table = () => all("[data-view=trials] tbody tr").map((row) => Number(row.children[0].textContent));
  const every = names();
  type("[data-view=front] select", "params", "change");
  all("[data-view=front] select")[1].value = "test";
  all("[data-view=front] select")[1].dispatchEvent(new Event("change"));
  const tested = names(), axis = all("[data-view=front] .js-plotly-plot")[0].layout.xaxis.title.text;
  type("[data-view=trials] input", "macs<2k state=complete", "input");
  const filtered = table();
  all("[data-view=trials] tbody tr")[0].click();
  const detail = document.querySelector(".detail"), curves = all("[data-view=curves] .js-plotly-plot")[0].data.map((trace) => trace.name);
  all("[data-view=front] .js-plotly-plot")[0].emit("plotly_click", { points: [{ customdata: { member: "member-2" } }] });
  return { every, tested, axis, filtered, detail: visible(detail) && detail.textContent, curves, hash: location.hash };
}
