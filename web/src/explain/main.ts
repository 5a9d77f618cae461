// The page of `bnlab explain`: batch normalization of one small table, to edit and to step through. It reads the trace
// that bnlab wrote into it, and computes every edit itself.
import "../style.css";
import "../tables.css";
import "./explain.css";
import { el } from "../dom";
import { ClosedForm } from "./closed_form";
import { Editor } from "./editor";
import { Graph } from "./graph";
import { Panel } from "./panel";
import { Player } from "./player";
import { Store, type State } from "./store";
import { compute, type Trace } from "./trace";

declare global {
  interface Window {
    /** For tests: the computation, and what the page holds at the moment. */
    bnlabExplain: { compute: typeof compute; state: State };
  }
}

function introduction(): HTMLElement {
  return el(
    "header",
    {},
    el("h1", {}, "Batch normalization, step by step"),
    el(
      "p",
      { class: "lead" },
      "A neural network learns faster when the numbers that reach a layer are alike in size. Batch normalization " +
        "sees to it: in every column of a table of examples (a batch) it takes away the mean and divides by the " +
        "standard deviation, and then lets the network choose a new scale, gamma, and a new shift, beta.",
    ),
    el(
      "p",
      { class: "lead" },
      "Here is the whole computation for a small table, and the gradients that training sends back through it: by " +
        "how much the network's error, called its loss, grows when a number grows. Change any number in a field, and " +
        "everything is computed anew.",
    ),
  );
}

function legend(): HTMLElement {
  return el(
    "p",
    { class: "small legend" },
    el("span", { class: "value" }, "→ values, on the way forward"),
    el("span", { class: "gradient" }, "← gradients, on the way back: by how much the loss grows per unit of the value"),
    el("span", {}, "A pile holds a number for each row and column, a single sheet one for each column."),
  );
}

/** What is wrong with the fields; it stays in sight while one scrolls. */
function problemNotice(store: Store): HTMLElement {
  const notice = el("p", { class: "notice problem", role: "alert", hidden: true });
  store.listen(({ problems }) => {
    const [first] = problems;
    notice.hidden = first === undefined;
    const words = first ? `${first.sentence} What you see is still the last valid result.` : "";
    if (notice.textContent !== words) notice.textContent = words;
  });
  return notice;
}

function walk(store: Store): HTMLElement {
  const cell = el("p", { class: "small" });
  store.listen(({ trace, row, column }) => {
    const name = trace.columns[column] ?? "";
    cell.textContent = `The graph shows row ${row + 1}, column ${name}. Click a cell of any table to see another.`;
  });
  return el(
    "section",
    { "aria-labelledby": "walk" },
    el("h2", { id: "walk" }, "How it comes about"),
    new Player(store).element,
    cell,
    new Graph(store).element,
    legend(),
    new Panel(store).element,
  );
}

function start(): void {
  const page = document.getElementById("explain");
  const json = document.getElementById("bnlab-trace")?.textContent?.trim() ?? "";
  if (!page) return;
  if (json === "") {
    page.append(
      el("p", { class: "notice" }, "This page holds no table yet: `bnlab explain --html FILE` writes one with it."),
    );
    return;
  }
  const store = new Store(JSON.parse(json) as Trace);
  window.bnlabExplain = { compute, state: store.state };
  store.listen(({ problems }) => page.classList.toggle("stale", problems.length > 0));
  page.append(
    introduction(),
    problemNotice(store),
    new Editor(store).element,
    walk(store),
    new ClosedForm(store).element,
  );
}

start();
