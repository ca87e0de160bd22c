"use strict";

const FIGURES = JSON.parse(document.getElementById("figures").textContent);
const CONFIG = { responsive: true, displayModeBar: false };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw(place) {
  const { data, layout } = FIGURES[place.dataset.figure];
  const text = colour("--text");
  const card = colour("--card");
  Plotly.react(place, data, {
    ...layout,
    uirevision: place.dataset.figure, // A change of colours keeps what was zoomed.
    paper_bgcolor: card,
    plot_bgcolor: card,
    font: { ...layout.font, color: text },
    hoverlabel: {
      ...layout.hoverlabel,
      bgcolor: card,
      bordercolor: colour("--line"),
      font: { color: text },
    },
  }, CONFIG);
}

function drawAll() {
  document.querySelectorAll(".chart").forEach(draw);
}

for (const button of document.querySelectorAll(".tabs button")) {
  button.addEventListener("click", () => {
    const tabs = button.closest(".tabs");
    for (const each of tabs.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    const chart = tabs.nextElementSibling;
    chart.dataset.figure = button.dataset.figure;
    draw(chart);
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
