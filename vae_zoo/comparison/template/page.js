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
  const rows = table.tBodies[0].rows.length;
  const searched = rows > 15 || (rows > 1 && table.matches(".main"));
  const columns = { buttons: [{ extend: "colvis", text: "columns" }] };
  new DataTable(table, {
    layout: {
      topStart: table.matches(".main") ? columns : null,
      topEnd: searched ? "search" : null,
      bottomStart: null,
      bottomEnd: null,
    },
    columnDefs: [
      { targets: "lower", orderSequence: ["asc", "desc"] }, // the best first
      { targets: "number", type: "number", orderSequence: ["desc", "asc"] },
    ],
    info: false,
    order: [],
    paging: false,
    searching: searched,
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

// One figure of several at a time: the terms of a training, the yardsticks against the weight.
function draw(section, i) {
  for (const place of section.querySelectorAll("[data-plot]")) {
    const name = place.dataset.plot;
    const key = chosen(section, name);
    const figure = key === undefined ? figures[i][name] : figures[i][name][key];
    if (figure) plot(place, figure, key ?? name, section.dataset[`${name}Log`] === "true");
  }
  for (const button of section.querySelectorAll("button[data-of]"))
    button.setAttribute("aria-pressed", button.dataset.key === chosen(section, button.dataset.of));
  for (const figure of section.querySelectorAll("[data-picture]"))
    figure.hidden = figure.dataset.picture !== chosen(section, "pictures");
  for (const note of section.querySelectorAll("[data-note]"))
    note.hidden = note.dataset.note !== chosen(section, "curves");
}

function chosen(section, name) {
  const first = section.querySelector(`button[data-of="${name}"]`);
  return first ? section.dataset[name] ?? first.dataset.key : undefined;
}

function plot(place, figure, key, log) {
  // A group hidden by a click on the legend stays hidden in the next term; a zoom does not stay.
  const yaxis = { ...figure.layout.yaxis, uirevision: `${key} ${log}` };
  if (log) Object.assign(yaxis, { type: "log", range: undefined, autorange: true });
  const layout = { ...figure.layout, yaxis, template: template(), uirevision: "same" };
  if (figure.layout.height) place.style.height = `${figure.layout.height}px`;
  Plotly.react(place, figure.data, layout, options);
}

function drawAll() {
  document.documentElement.classList.toggle("dark", dark.matches);
  sections.forEach(draw);
}

const sections = figures.map((_, i) => document.getElementById(`section-${i}`));
sections.forEach((section, i) => {
  for (const button of section.querySelectorAll("button[data-of]"))
    button.addEventListener("click", () => {
      section.dataset[button.dataset.of] = button.dataset.key;
      draw(section, i);
    });
  for (const button of section.querySelectorAll("button[data-log]"))
    button.addEventListener("click", () => {
      const name = `${button.dataset.log}Log`;
      section.dataset[name] = section.dataset[name] !== "true";
      button.setAttribute("aria-pressed", section.dataset[name]);
      draw(section, i);
    });
  for (const button of section.querySelectorAll("button[data-part]"))
    button.addEventListener("click", () => show(section, button.dataset.part));
  const first = section.querySelector(".part");
  if (first) show(section, first.dataset.part);
});
drawAll();
dark.addEventListener("change", drawAll);

// Print what is folded, and fold it again.
const folded = () => document.querySelectorAll("details:not([open]), details[data-folded]");
addEventListener("beforeprint", () =>
  folded().forEach((each) => { each.open = true; each.dataset.folded = ""; }));
addEventListener("afterprint", () =>
  folded().forEach((each) => { each.open = false; delete each.dataset.folded; }));
