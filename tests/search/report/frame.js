// The title of the page in the frame becomes that of the page around it.
addEventListener("load", () => {
  const frame = document.querySelector("iframe");
  const waiting = setInterval(() => {
    if (!frame.contentDocument.title.startsWith("{")) return;
    document.title = frame.contentDocument.title;
    clearInterval(waiting);
  }, 50);
});
