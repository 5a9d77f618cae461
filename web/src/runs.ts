// The list of runs: closed at first, a page of rows at a time, found by id, by words or by state.
import { anchor, el, headerRow, scrollable } from "./dom";
import { count, duration, grouped, unknown } from "./format";
import type { Report, Run } from "./report";

const pageSize = 100;

export function runLink(id: string): HTMLElement {
  return el("a", { class: "code", href: `#${anchor("run", id)}`, title: id }, id.slice(0, 10));
}

function stateText(run: Run): string {
  if (run.state === "diverged" && run.divergedAt !== null) return `diverged at step ${grouped(run.divergedAt)}`;
  return run.state || unknown;
}

function runRow(run: Run): HTMLTableRowElement {
  return el(
    "tr",
    { id: anchor("run", run.id) },
    el("td", { class: "code", title: run.id }, run.id.slice(0, 10)),
    el("th", { scope: "row" }, run.title, run.error === "" ? null : el("p", { class: "small run-error" }, run.error)),
    el("td", {}, run.kind),
    el("td", { class: "number" }, run.steps === null ? unknown : grouped(run.steps)),
    el("td", { class: "number" }, duration(run.seconds)),
    el("td", { class: "number" }, run.threads === null ? unknown : String(run.threads)),
    el("td", { class: run.state === "finished" ? null : "run-state" }, stateText(run)),
  );
}

class RunList {
  readonly element: HTMLDetailsElement;
  private page = 0;
  private shown: Run[];
  private readonly body = el("tbody");
  private readonly where = el("span", { class: "small", "aria-live": "polite" });
  private readonly search = el("input", { type: "search", placeholder: "words or an id", "aria-label": "Find runs" });
  private readonly state = el("select", { "aria-label": "State of the run" });
  private readonly previous = el("button", { type: "button" }, "previous");
  private readonly next = el("button", { type: "button" }, "next");

  constructor(private readonly runs: Run[]) {
    this.shown = runs;
    this.fillStates();
    const table = el(
      "table",
      { class: "plain runs" },
      headerRow("Id", "What", "Kind", "Steps", "Computing time", "Threads", "State"),
      this.body,
    );
    const controls = el("div", { class: "controls" }, this.search, this.state, this.previous, this.next, this.where);
    this.element = el(
      "details",
      { class: "run-list" },
      el("summary", {}, `Show ${count(runs.length, "run")}`),
      controls,
      scrollable(table, "Runs"),
    );
    this.listen();
  }

  /** Opens the list at a run. */
  reveal(target: string): void {
    const position = this.runs.findIndex((run) => anchor("run", run.id) === target);
    if (position < 0) return;
    this.search.value = "";
    this.state.value = "";
    this.shown = this.runs;
    this.page = Math.floor(position / pageSize);
    this.element.open = true;
    this.render();
    const row = document.getElementById(target);
    row?.classList.add("sought");
    row?.scrollIntoView({ block: "center" });
  }

  private fillStates(): void {
    const states = [...new Set(this.runs.map((run) => run.state))];
    this.state.append(el("option", { value: "" }, "every state"));
    for (const state of states) {
      const n = this.runs.filter((run) => run.state === state).length;
      this.state.append(el("option", { value: state }, `${state} (${n})`));
    }
  }

  private listen(): void {
    this.element.addEventListener("toggle", () => this.element.open && this.body.rows.length === 0 && this.render());
    this.search.addEventListener("input", () => this.select());
    this.state.addEventListener("change", () => this.select());
    this.previous.addEventListener("click", () => this.turn(-1));
    this.next.addEventListener("click", () => this.turn(1));
  }

  private select(): void {
    const words = this.search.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    this.shown = this.runs.filter((run) => {
      const text = `${run.id} ${run.title} ${run.kind} ${run.error}`.toLowerCase();
      return (this.state.value === "" || run.state === this.state.value) && words.every((word) => text.includes(word));
    });
    this.page = 0;
    this.render();
  }

  private turn(by: number): void {
    this.page += by;
    this.render();
  }

  private render(): void {
    const first = this.page * pageSize;
    const rows = this.shown.slice(first, first + pageSize);
    this.body.replaceChildren(...rows.map(runRow));
    this.previous.disabled = this.page === 0;
    this.next.disabled = first + pageSize >= this.shown.length;
    this.previous.hidden = this.next.hidden = this.shown.length <= pageSize;
    this.where.textContent =
      rows.length === 0
        ? "no such run"
        : `${first + 1} to ${first + rows.length} of ${count(this.shown.length, "run")}`;
  }
}

export function runsSection(report: Report): HTMLElement {
  const section = el("section", { "aria-labelledby": "runs" }, el("h2", { id: "runs" }, "The runs"));
  if (report.runs.length === 0) {
    section.append(el("p", {}, "This report holds no run."));
    return section;
  }
  const list = new RunList(report.runs);
  const follow = () => {
    if (location.hash.startsWith("#run-")) list.reveal(decodeURIComponent(location.hash.slice(1)));
  };
  window.addEventListener("hashchange", follow);
  requestAnimationFrame(follow);
  section.append(
    el("p", {}, "Every training or analysis behind this report. A run that several experiments use is computed once."),
    list.element,
  );
  return section;
}
