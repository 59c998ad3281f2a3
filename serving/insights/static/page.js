// Draws the figures: each has its document beside it. Nothing is fetched.
"use strict";
(() => {
  const german = document.documentElement.lang === "de";
  const NARROW = 560;
  const PAPER = 960; // width of a figure on a page of A4 across

  function fitted(spec, width) {
    const layout = { ...spec.layout, autosize: true };
    if (german) layout.separators = ",.";
    if (width < NARROW && layout.yaxis && layout.yaxis.ticktext) {
      // Labels would take the width: they go above their points, into the figure.
      const { ticktext, tickvals, ...axis } = layout.yaxis;
      layout.yaxis = { ...axis, showticklabels: false, automargin: false };
      layout.xaxis = { ...layout.xaxis, nticks: 5, tickangle: 0 };
      layout.annotations = ticktext.map((text, i) => ({
        text, x: 0, xref: "paper", xanchor: "left", y: tickvals[i], yref: "y", yshift: 13, showarrow: false, font: { size: 11 },
      }));
      layout.height = Math.round(layout.height * 1.35);
    }
    return layout;
  }

  function draw(box) {
    const spec = JSON.parse(box.querySelector("script").textContent);
    const layout = fitted(spec, box.clientWidth);
    box.style.minHeight = layout.height + "px";
    const options = { responsive: true, displayModeBar: false };
    Plotly.newPlot(box, spec.data, layout, options).then(() => {
      fit(box);
      box.dataset.drawn = "yes";
      if (spec.data[0].type === "sankey") box.on("plotly_click", follow);
    });
  }

  // On paper a figure is as wide as the page, whatever it is on the screen.
  function fit(box) {
    box.style.setProperty("--fit", Math.min(1, PAPER / box.clientWidth));
  }

  // A click on a content of the flow: where did people go from there?
  function follow(event) {
    const key = event.points[0].customdata;
    if (typeof key !== "string" || !key || location.protocol === "file:") return;
    const url = new URL(location.href);
    url.searchParams.set("direction", "forward");
    url.searchParams.set("page", key);
    location.assign(url);
  }

  const all = document.querySelectorAll(".figure");
  all.forEach(draw);
  window.addEventListener("beforeprint", () => all.forEach(fit));
})();
