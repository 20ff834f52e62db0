// What every chart shares: the page's colours, the look of the axes, and drawing anew when the theme changes.

export function colours() {
  const of = getComputedStyle(document.documentElement);
  const named = (name) => of.getPropertyValue(name).trim();
  return { ink: named("--ink"), line: named("--line"), ground: named("--raised"), up: named("--good"), down: named("--bad"), dim: named("--dim"), accent: named("--accent"), link: named("--link") };
}

// Plots into a place, as high as the place is, also when the window changes; `layout` adds to what all charts have.
export function plot(place, traces, { xaxis = {}, yaxis = {}, ...layout }) {
  const tint = colours();
  const axis = { gridcolor: tint.line, zerolinecolor: tint.line, linecolor: tint.line };
  const others = Object.fromEntries(Object.entries(layout).filter(([name]) => name.startsWith("yaxis")).map(([name, own]) => [name, { ...axis, ...own }]));
  place.replaceChildren();
  window.Plotly.newPlot(
    place,
    traces,
    {
      margin: { l: 60, r: 12, t: 12, b: 36 }, showlegend: false, dragmode: "pan", hovermode: "x unified",
      paper_bgcolor: tint.ground, plot_bgcolor: tint.ground, font: { color: tint.ink, family: "system-ui, sans-serif" },
      ...layout,
      xaxis: { ...axis, nticks: Math.max(2, Math.floor(place.clientWidth / 130)), tickangle: 0, ...xaxis },
      yaxis: { ...axis, automargin: true, ...yaxis },
      ...others,
    },
    { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false },
  );
}

// Fetches what an address tells and draws it, again in the other colours when the theme changes.
export async function begin(address, places, draw) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    for (const place of places) place.textContent = "The chart could not be loaded; its numbers are in the table below.";
    return;
  }
  const told = await answer.json();
  draw(told);
  document.addEventListener("themechange", () => draw(told));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(told));
}
