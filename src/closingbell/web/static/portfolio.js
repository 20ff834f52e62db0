// Draws an account's worth over time and its income by month; the numbers stand in the tables below them.

import { begin, colours, plot } from "./charts.js";

const worth = document.querySelector("[data-portfolio-chart]");
const income = document.querySelector("[data-income]");

function drawWorth(told) {
  if (told.worth.every((one) => one === null)) {
    worth.textContent = "What it was worth is not known.";
    return;
  }
  const tint = colours();
  plot(
    worth,
    [
      {
        // A single point makes no line.
        type: "scatter", mode: told.at.length > 1 ? "lines" : "markers", name: "", x: told.at, y: told.worth,
        line: { color: tint.link, width: 2 }, marker: { color: tint.link, size: 9 }, hovertemplate: `%{y:,.2f} ${told.currency}`,
      },
    ],
    { xaxis: { type: "date" }, yaxis: { title: { text: told.currency }, tickformat: ",~r" } },
  );
}

function drawIncome({ months, of }) {
  if (!months.length) {
    income.textContent = "Nothing was paid in this time.";
    return;
  }
  const tint = colours();
  const several = Object.keys(of).length > 1;
  const bars = Object.entries(of).flatMap(([currency, { gross, net }]) => [
    { type: "bar", name: several ? `Gross ${currency}` : "Gross", x: months, y: gross, marker: { color: tint.link, opacity: 0.5 }, hovertemplate: `%{y:,.2f} ${currency}` },
    { type: "bar", name: several ? `Net ${currency}` : "Net", x: months, y: net, marker: { color: tint.up }, hovertemplate: `%{y:,.2f} ${currency}` },
  ]);
  plot(income, bars, {
    showlegend: true, legend: { orientation: "h", x: 0, y: 1.15 }, barmode: "group", bargap: 0.35,
    xaxis: { type: "category" }, yaxis: { title: { text: several ? "" : Object.keys(of)[0] }, tickformat: ",~r" },
  });
}

function draw(told) {
  drawWorth(told);
  if (income) drawIncome(told.income);
}

if (worth && window.Plotly) begin(worth.dataset.portfolioChart, income ? [worth, income] : [worth], draw);
