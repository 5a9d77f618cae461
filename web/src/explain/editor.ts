// The upper part of the page: what goes in, editable, beside what comes out.
import { el } from "../dom";
import { copy, csvOf } from "./csv";
import { Fields } from "./fields";
import { NumberTable } from "./number_table";
import type { State, Store } from "./store";
import { nodeOf, type Row, type Table } from "./trace";
import { tried, tries, type Try } from "./tries";

function button(label: string, click: () => void): HTMLButtonElement {
  const element = el("button", { type: "button" }, label);
  element.addEventListener("click", click);
  return element;
}

export class Editor {
  readonly element: HTMLElement;
  private readonly fields: Fields;
  private readonly results: { y: NumberTable; dx: NumberTable };
  private readonly x = el("div", { class: "slot" });
  private readonly dy = el("div", { class: "slot" });
  private readonly eps = el("label", { class: "eps" });
  private readonly modes: HTMLButtonElement[];
  private readonly tryButtons: HTMLButtonElement[];
  private readonly notes = el("div", { class: "notes" });
  private readonly said = el("p", { class: "said", "aria-live": "polite" });
  private revision = -1;

  constructor(private readonly store: Store) {
    this.fields = new Fields(store);
    this.results = { y: new NumberTable(store), dx: new NumberTable(store) };
    this.modes = [
      button("training", () => this.store.setInference(false)),
      button("inference", () => this.store.setInference(true)),
    ];
    this.tryButtons = tries.map((it) => button("", () => this.try(it)));
    this.element = el(
      "section",
      { "aria-labelledby": "tables" },
      el("h2", { id: "tables" }, "What goes in, and what comes out"),
      el(
        "div",
        { class: "controls" },
        el("span", { class: "controls", role: "group", "aria-label": "Mode" }, ...this.modes),
        this.eps,
        button("Reset", () => this.reset()),
      ),
      el(
        "div",
        { class: "cards" },
        el("div", { class: "cards" }, this.x, this.results.y.element),
        el("div", { class: "cards" }, this.dy, this.results.dx.element),
      ),
      this.notes,
      el("div", { class: "controls" }, el("span", {}, "Try:"), ...this.tryButtons),
      this.said,
    );
    store.listen((state) => this.show(state));
  }

  private show(state: State): void {
    if (this.revision !== state.revision) this.rebuild(state);
    this.fields.mark(state);
    this.showResults(state);
    this.modes.forEach((it, index) => it.setAttribute("aria-pressed", String(state.draft.inference === (index === 1))));
    this.notes.replaceChildren(...state.trace.notes.map((note) => el("p", { class: "notice" }, note)));
    for (const [index, element] of this.tryButtons.entries()) {
      element.textContent = tries[index]?.label(state.draft.columns[state.column] ?? "") ?? "";
      element.disabled = state.problems.length > 0;
    }
  }

  private rebuild({ revision, draft }: State): void {
    this.revision = revision;
    this.fields.forget();
    const add = button("Add a row", () => this.addRow());
    const copies = (["x", "dy"] as const).map((part) => button("Copy as CSV", () => void this.copy(part)));
    const [copyX = null, copyDy = null] = copies;
    this.x.replaceChildren(this.fields.table(el("div", { class: "controls" }, add, copyX)));
    this.dy.replaceChildren(this.fields.gradient(el("div", { class: "controls" }, copyDy)));
    this.eps.replaceChildren("ε (eps)", this.fields.input({ part: "eps", row: 0, column: 0 }));
    const guessed = draft.inference && draft.texts.x.length === 1;
    this.said.textContent = guessed ? "One row has no variance that training could leave; it begins at 1 here." : "";
  }

  private showResults({ trace }: State): void {
    const { columns } = trace;
    const gradient = (name: string) => nodeOf(trace, name).gradient ?? [];
    const footers = ["gamma", "beta"].map((name) => ({ label: `d${name}`, values: gradient(name) as Row }));
    const y = { name: "y", words: "what the next layer gets", values: nodeOf(trace, "y").value };
    const dx = { name: "dx", words: "what the layer before gets", values: gradient("x") };
    this.results.y.show({ ...y, kind: "value", columns });
    this.results.dx.show({ ...dx, kind: "gradient", columns, footers });
  }

  private addRow(): void {
    this.store.addRow();
    this.fields.first("x", this.store.state.draft.texts.x.length - 1)?.focus();
  }

  private reset(): void {
    this.store.reset();
    this.said.textContent = "Everything is as it was when this page was written.";
  }

  private try(it: Try): void {
    const { layer, words } = tried(it, this.store.state.trace, this.store.state.column);
    this.store.fill(layer);
    this.said.textContent = words;
  }

  private async copy(part: "x" | "dy"): Promise<void> {
    const { problems, trace } = this.store.state;
    if (problems.length > 0) {
      this.said.textContent = "Nothing was copied; first mend what is marked.";
      return;
    }
    const table = part === "x" ? (nodeOf(trace, "x").value as Table) : trace.dy;
    const done = await copy(csvOf(trace.columns, table));
    this.said.textContent = done ? `${part} is on the clipboard as CSV.` : "This browser does not let the page copy.";
  }
}
