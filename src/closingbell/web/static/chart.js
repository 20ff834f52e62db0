// Draws the chart of a company; its newest numbers stand in the table below it, for whoever runs no scripts.

import { begin, colours, plot } from "./charts.js";

const place = document.querySelector("[data-chart]");

function draw(told) {
  const tint = colours();
  if (!told.at.length) {
    place.textContent = "No bar is stored for this time.";
    return;
  }
  const isUp = told.close.map((close, i) => close >= told.open[i]);
  const known = new Map(told.at.map((at, i) => [at, i]));
  // An event on a day without a bar stands at the first one after it.
  const events = told.events
    .map((event) => ({ ...event, i: known.get(event.at) ?? told.at.findIndex((at) => at > event.at) }))
    .filter((event) => event.i >= 0);
  const traces = [
    {
      type: "candlestick", name: "", x: told.at, open: told.open, high: told.high, low: told.low, close: told.close,
      increasing: { line: { color: tint.up, width: 1 } }, decreasing: { line: { color: tint.down, width: 1 } },
    },
    {
      type: "bar", name: "Volume", x: told.at, y: told.volume, yaxis: "y2",
      marker: { color: isUp.map((up) => (up ? tint.up : tint.down)), opacity: 0.55 },
    },
    {
      type: "scatter", mode: "markers+text", name: "", x: events.map((one) => told.at[one.i]), y: events.map((one) => told.high[one.i]),
      text: events.map((one) => one.mark), textposition: "top center", textfont: { color: tint.accent },
      marker: { color: tint.accent, size: 7, symbol: "triangle-down" },
      hovertext: events.map((one) => `${one.at}: ${one.words}, ${one.state}`), hoverinfo: "text",
    },
  ];
  plot(place, traces, {
    // As names, not as dates: days without a session leave no hole.
    xaxis: { type: "category", rangeslider: { visible: false }, anchor: "y2" },
    yaxis: { domain: [0.26, 1], title: { text: told.currency ?? "" } },
    yaxis2: { domain: [0, 0.2], fixedrange: true, nticks: 3 },
  });
}

if (place && window.Plotly) begin(place.dataset.chart, [place], draw);
