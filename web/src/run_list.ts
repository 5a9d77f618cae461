// The list of runs: closed at first, a page of rows at a time, found by id, by words or by state. A row opens to the
// run's details; two rows can be chosen to be compared.
import { showInAddress } from "./address";
import { anchor, el, headerRow, scrollable } from "./dom";
import { forgetFigures } from "./figure";
import { count, duration, grouped, unknown } from "./format";
import type { Run } from "./report";
import { runDetail } from "./run_detail";
import { stateText } from "./run_words";
import type { Source } from "./source";

const pageSize = 100;
const columns = ["Id", "What", "Kind", "Steps", "Computing time", "Threads", "State", "Compare"];

export class RunList {
  readonly element: HTMLDetailsElement;
  private page = 0;
  private runs: Run[] = [];
  private shown: Run[] = [];
  private chosen: string[] = [];
  private readonly details = new Map<string, HTMLTableRowElement>();
  private readonly rows = new Map<string, { run: string; row: HTMLTableRowElement }>();
  private readonly summary = el("summary");
  private readonly body = el("tbody");
  private readonly where = el("span", { class: "small", "aria-live": "polite" });
  private readonly search = el("input", { type: "search", placeholder: "words or an id", "aria-label": "Find runs" });
  private readonly state = el("select", { "aria-label": "State of the run" });
  private readonly previous = el("button", { type: "button" }, "previous");
  private readonly next = el("button", { type: "button" }, "next");

  /** `compare` is called with the ids of two runs that were chosen. */
  constructor(
    private readonly source: Source,
    private readonly compare: (first: string, second: string) => void,
  ) {
    const table = el("table", { class: "plain runs" }, headerRow(...columns), this.body);
    const controls = el("div", { class: "controls" }, this.search, this.state, this.previous, this.next, this.where);
    this.element = el("details", { class: "run-list" }, this.summary, controls, scrollable(table, "Runs"));
    this.listen();
  }

  setRuns(runs: Run[]): void {
    this.runs = runs;
    this.summary.textContent = `Show ${count(runs.length, "run")}`;
    this.fillStates();
    this.filter();
    this.page = Math.min(this.page, Math.max(0, Math.ceil(this.shown.length / pageSize) - 1));
    if (this.element.open) this.render();
  }

  /** Opens the list at a run; false if it has none of this name. */
  reveal(target: string): boolean {
    const position = this.runs.findIndex((run) => anchor("run", run.id) === target);
    const run = this.runs[position];
    if (!run) return false;
    this.search.value = "";
    this.state.value = "";
    this.shown = this.runs;
    this.page = Math.floor(position / pageSize);
    this.element.open = true;
    this.render();
    for (const { row } of this.rows.values()) row.classList.toggle("sought", row.id === target);
    document.getElementById(target)?.scrollIntoView({ block: "center" });
    return true;
  }

  /** As the address asks. */
  follow(settings: URLSearchParams): void {
    if ([...settings.keys()].length === 0) return;
    this.search.value = settings.get("words") ?? "";
    this.state.value = settings.get("state") ?? "";
    if (this.state.selectedIndex < 0) this.state.value = "";
    this.element.open = true;
    this.select();
  }

  private fillStates(): void {
    const kept = this.state.value;
    const counts = new Map<string, number>();
    for (const { state } of this.runs) counts.set(state, (counts.get(state) ?? 0) + 1);
    const states = [...counts.keys()];
    const options = [...counts].map(([state, n]) => el("option", { value: state }, `${state} (${n})`));
    // Who has opened the choice keeps it.
    const now = [...this.state.options].slice(1).map((option) => option.text);
    if (now.length > 0 && now.join() === options.map((option) => option.text).join()) return;
    this.state.replaceChildren(el("option", { value: "" }, "every state"), ...options);
    this.state.value = states.includes(kept) ? kept : "";
  }

  private listen(): void {
    this.element.addEventListener("toggle", () => this.element.open && this.body.rows.length === 0 && this.render());
    const select = () => {
      const settings = new URLSearchParams();
      if (this.search.value !== "") settings.set("words", this.search.value);
      if (this.state.value !== "") settings.set("state", this.state.value);
      showInAddress("runs", settings);
      this.select();
    };
    this.search.addEventListener("input", select);
    this.state.addEventListener("change", select);
    this.previous.addEventListener("click", () => this.turn(-1));
    this.next.addEventListener("click", () => this.turn(1));
  }

  private select(): void {
    this.filter();
    this.page = 0;
    this.render();
  }

  private filter(): void {
    const words = this.search.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== "");
    this.shown = this.runs.filter((run) => {
      const text = `${run.id} ${run.title} ${run.kind} ${run.error}`.toLowerCase();
      return (this.state.value === "" || run.state === this.state.value) && words.every((word) => text.includes(word));
    });
  }

  private turn(by: number): void {
    this.page += by;
    this.render();
  }

  private render(): void {
    const first = this.page * pageSize;
    const runs = this.shown.slice(first, first + pageSize);
    const rows = runs.flatMap((run) => {
      const detail = this.details.get(run.id);
      return detail ? [this.rowOf(run), detail] : [this.rowOf(run)];
    });
    // Rows that stay are not touched: they may hold the focus.
    if (rows.length !== this.body.rows.length || rows.some((row, i) => this.body.rows[i] !== row)) {
      this.body.replaceChildren(...rows);
    }
    this.previous.disabled = this.page === 0;
    this.next.disabled = first + pageSize >= this.shown.length;
    this.previous.hidden = this.next.hidden = this.shown.length <= pageSize;
    this.where.textContent =
      runs.length === 0
        ? "no such run"
        : `${first + 1} to ${first + runs.length} of ${count(this.shown.length, "run")}`;
  }

  /** The run's row; the same element as long as the run is the same. */
  private rowOf(run: Run): HTMLTableRowElement {
    const { spec: _, curve: __, ...words } = run;
    const key = JSON.stringify(words);
    const known = this.rows.get(run.id);
    if (known?.run === key) return known.row;
    if (known) {
      known.row.replaceChildren(...this.cells(run));
      this.rows.set(run.id, { run: key, row: known.row });
      return known.row;
    }
    const row = el("tr", { id: anchor("run", run.id) }, ...this.cells(run));
    this.rows.set(run.id, { run: key, row });
    return row;
  }

  private cells(run: Run): HTMLTableCellElement[] {
    const open = el("button", { type: "button", class: "open-run code", title: run.id }, run.id.slice(0, 10));
    open.setAttribute("aria-expanded", String(this.details.has(run.id)));
    open.addEventListener("click", () => void this.toggle(run, open));
    const choose = el(
      "button",
      { type: "button", "aria-label": `choose ${run.title || run.id} to be compared` },
      "choose",
    );
    choose.dataset.run = run.id;
    choose.setAttribute("aria-pressed", String(this.chosen.includes(run.id)));
    choose.addEventListener("click", () => this.choose(run.id));
    return [
      el("td", { class: "code" }, open),
      el("th", { scope: "row" }, run.title, run.error === "" ? null : el("p", { class: "small run-error" }, run.error)),
      el("td", {}, run.kind),
      el("td", { class: "number" }, run.steps === null ? unknown : grouped(run.steps)),
      el("td", { class: "number" }, duration(run.seconds)),
      el("td", { class: "number" }, run.threads === null ? unknown : String(run.threads)),
      el("td", { class: run.state === "finished" ? null : "run-state" }, stateText(run)),
      el("td", {}, choose),
    ];
  }

  private async toggle(run: Run, button: HTMLButtonElement): Promise<void> {
    const open = this.details.get(run.id);
    button.setAttribute("aria-expanded", String(!open));
    if (open) {
      forgetFigures(open);
      this.details.delete(run.id);
      this.render();
      return;
    }
    const cell = el("td", { colspan: columns.length }, el("p", { class: "small" }, "…"));
    this.details.set(run.id, el("tr", { class: "run-detail-row" }, cell));
    this.render();
    try {
      cell.replaceChildren(await runDetail(this.source, run, { compare: (id) => this.choose(id) }));
    } catch (error) {
      cell.replaceChildren(el("p", { class: "run-error" }, error instanceof Error ? error.message : String(error)));
    }
  }

  private choose(id: string): void {
    this.chosen = this.chosen.includes(id) ? this.chosen.filter((it) => it !== id) : [...this.chosen, id].slice(-2);
    for (const button of this.body.querySelectorAll<HTMLElement>("button[data-run]")) {
      button.setAttribute("aria-pressed", String(this.chosen.includes(button.dataset.run ?? "")));
    }
    const [first, second] = this.chosen;
    if (first !== undefined && second !== undefined) this.compare(first, second);
    else if (first !== undefined) this.where.textContent = "now choose the run to compare it with";
  }
}
