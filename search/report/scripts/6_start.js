// Unpacks Plotly, then puts each view in the place of its picture. What fails keeps its picture.
const VIEWS = { front: frontView, curves: curvesView, parallel: parallelView, trials: trialsView };

async function library() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  document.head.append(element("script", { textContent: await new Response(stream).text() }));
}

function canDraw(name) {
  return name !== "parallel" || Boolean(element("canvas").getContext("webgl"));
}

function show(place) {
  const stills = place.parentElement.querySelectorAll(".still");
  place.hidden = false;
  try {
    views.push(VIEWS[place.dataset.view](place));
    stills.forEach((still) => { still.style.display = "none"; });
  } catch (error) {
    place.hidden = true;
    console.error(error);
  }
}

async function start() {
  const places = [...document.querySelectorAll(".live")].filter((place) => canDraw(place.dataset.view));
  places.filter((place) => place.dataset.view === "trials").forEach(show);
  if (!("DecompressionStream" in window)) return;
  await library();
  places.filter((place) => place.dataset.view !== "trials").forEach(show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { update(); places.forEach((place) => place.redraw?.()); });
  document.documentElement.dataset.live = "ready";
}

start().catch(console.error);
