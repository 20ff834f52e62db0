// Draws the chart of a company; its newest numbers stand in the table below it, for whoever runs no scripts.

const place = document.querySelector("[data-chart]");

function colours() {
  const of = getComputedStyle(document.documentElement);
  const named = (name) => of.getPropertyValue(name).trim();
  return { ink: named("--ink"), line: named("--line"), ground: named("--raised"), up: named("--good"), down: named("--bad"), dim: named("--dim"), accent: named("--accent") };
}

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
  const axis = { gridcolor: tint.line, zerolinecolor: tint.line, linecolor: tint.line, fixedrange: false };
  const layout = {
    height: 460, margin: { l: 60, r: 12, t: 12, b: 36 }, showlegend: false, dragmode: "pan", hovermode: "x unified",
    paper_bgcolor: tint.ground, plot_bgcolor: tint.ground, font: { color: tint.ink, family: "system-ui, sans-serif" },
    // As names, not as dates: days without a session leave no hole.
    xaxis: { ...axis, type: "category", nticks: Math.max(2, Math.floor(place.clientWidth / 130)), tickangle: 0, rangeslider: { visible: false }, anchor: "y2" },
    yaxis: { ...axis, domain: [0.26, 1], title: { text: told.currency ?? "" } },
    yaxis2: { ...axis, domain: [0, 0.2], fixedrange: true, nticks: 3 },
  };
  place.replaceChildren();
  window.Plotly.newPlot(place, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false });
}

async function begin() {
  const answer = await fetch(place.dataset.chart, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    place.textContent = "The chart could not be loaded; the newest bars are in the table below.";
    return;
  }
  const told = await answer.json();
  draw(told);
  document.addEventListener("themechange", () => draw(told));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(told));
}

if (place && window.Plotly) begin();
