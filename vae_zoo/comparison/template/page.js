const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const options = { responsive: true, displaylogo: false, displayModeBar: false };

// Numbers in the order of their data-order; cells without one come last, whichever the direction.
const absentLast = (sign) => (a, b) =>
  isNaN(a) || isNaN(b) ? isNaN(a) - isNaN(b) : sign * (a - b);
DataTable.type("number", {
  className: "number",
  order: { pre: parseFloat, asc: absentLast(1), desc: absentLast(-1) },
});

function sortable(table) {
  new DataTable(table, {
    columnDefs: [
      { targets: "lower", orderSequence: ["asc", "desc"] }, // the best first
      { targets: "number", type: "number", orderSequence: ["desc", "asc"] },
    ],
    info: false,
    order: [],
    paging: false,
    searching: table.tBodies[0].rows.length > 15,
    autoWidth: false,
  });
}
document.querySelectorAll("table.groups:not(.scores)").forEach(sortable);

// One part of the score cards at a time; a table can be sorted from when it is first shown.
function show(section, part) {
  for (const place of section.querySelectorAll(".part")) {
    place.hidden = place.dataset.part !== part;
    const table = place.querySelector("table");
    if (!place.hidden && !DataTable.isDataTable(table)) sortable(table);
  }
  for (const button of section.querySelectorAll("button[data-part]"))
    button.setAttribute("aria-pressed", button.dataset.part === part);
}

// Text and lines take the colours of the page, so that one figure serves both themes.
function template() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: color("--line"), linecolor: color("--line"), zeroline: false };
  return {
    layout: {
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("--ink") },
      hoverlabel: { bgcolor: color("--ground"), bordercolor: color("--line"),
        font: { color: color("--ink") } },
      xaxis: { ...axis, automargin: true },
      yaxis: { ...axis, automargin: true },
    },
  };
}

function draw(section, i) {
  const plane = section.querySelector("[data-plot=plane]");
  if (plane) plot(plane, figures[i].plane);
  const term = section.dataset.term;
  const figure = figures[i].curves[term];
  if (figure) plot(section.querySelector("[data-plot=curves]"), figure, term);
  for (const button of section.querySelectorAll("button[data-term]"))
    button.setAttribute("aria-pressed", button.dataset.term === term);
  for (const note of section.querySelectorAll("[data-note]"))
    note.hidden = note.dataset.note !== term;
}

function plot(place, figure, term) {
  // A group hidden by a click on the legend stays hidden in the next term; a zoom does not stay.
  const yaxis = { ...figure.layout.yaxis, uirevision: term };
  const layout = { ...figure.layout, yaxis, template: template(), uirevision: "same" };
  Plotly.react(place, figure.data, layout, options);
}

function drawAll() {
  document.documentElement.classList.toggle("dark", dark.matches);
  sections.forEach(draw);
}

const sections = figures.map((_, i) => document.getElementById(`section-${i}`));
sections.forEach((section, i) => {
  section.dataset.term = ["elbo", "loss"].find((term) => term in figures[i].curves) ?? "";
  for (const button of section.querySelectorAll("button[data-term]"))
    button.addEventListener("click", () => {
      section.dataset.term = button.dataset.term;
      draw(section, i);
    });
  for (const button of section.querySelectorAll("button[data-part]"))
    button.addEventListener("click", () => show(section, button.dataset.part));
  const first = section.querySelector(".part");
  if (first) show(section, first.dataset.part);
});
drawAll();
dark.addEventListener("change", drawAll);
