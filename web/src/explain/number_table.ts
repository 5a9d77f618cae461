// A table of results: a number's title is the number in full, and a click on it chooses its cell.
import { el, type Child } from "../dom";
import { short } from "./numbers";
import type { Store } from "./store";
import { isTable, type Row, type Table } from "./trace";

export type Kind = "value" | "gradient" | "plain";

export interface Footer {
  label: string;
  values: Row;
}

export interface Content {
  name: string;
  words: string;
  kind: Kind;
  columns: string[];
  values: Row | Table;
  footers?: Footer[];
}

/** `row` is null where there is one number a column. */
interface Line {
  row: number | null;
  label: string;
  values: Row;
}

interface Cell {
  place: HTMLElement;
  button: HTMLButtonElement;
}

/** How many rows a page shows; with more fields it would answer slowly. The others take part all the same. */
export function rowsShown(columns: number): number {
  return Math.max(1, Math.min(100, Math.floor(600 / columns)));
}

export function hiddenRows(rows: number, columns: number): HTMLElement | null {
  const left = rows - rowsShown(columns);
  return left > 0 ? el("p", { class: "small" }, `and ${left} more rows, which take part in the computation`) : null;
}

/** A table with its heading; where it is too wide it scrolls by itself. */
export function card(kind: Kind, name: string, words: string, table: HTMLTableElement, ...more: Child[]): HTMLElement {
  const heading = el("figcaption", {}, el("strong", {}, name), ` ${words}`);
  return el("figure", { class: `card ${kind}` }, heading, el("div", { class: "scroll" }, table), ...more);
}

export function columnHeads(columns: string[], end: Child = null): HTMLTableSectionElement {
  const heads = columns.map((name) => el("th", { scope: "col", title: name }, name));
  return el("thead", {}, el("tr", {}, el("td"), ...heads, end));
}

function linesOf({ values, columns, footers = [] }: Content): Line[] {
  const lines = isTable(values)
    ? values.slice(0, rowsShown(columns.length)).map((cells, row) => ({ row, label: String(row + 1), values: cells }))
    : [{ row: null, label: "", values }];
  return [...lines, ...footers.map((it) => ({ row: null, label: it.label, values: it.values }))];
}

export class NumberTable {
  readonly element = el("div", { class: "slot results" });
  /** what the elements were made for */
  private shape = "";
  private lines: { element: HTMLElement; cells: Cell[] }[] = [];

  constructor(private readonly store: Store) {
    this.element.addEventListener("click", (event) => {
      const chosen = event.target instanceof Element ? event.target.closest("button") : null;
      if (chosen) this.choose(chosen);
    });
  }

  show(content: Content): void {
    const { name, words, values, columns, footers = [] } = content;
    const rows = isTable(values) ? values.length : 0;
    const shape = JSON.stringify([name, words, rows, columns, footers.map(({ label }) => label)]);
    const lines = linesOf(content);
    if (shape !== this.shape) this.build(content, lines, rows);
    this.shape = shape;
    lines.forEach((line, index) => this.fill(line, index));
  }

  clear(): void {
    this.shape = "";
    this.element.replaceChildren();
  }

  private choose(button: HTMLButtonElement): void {
    const index = this.lines.findIndex(({ cells }) => cells.some((cell) => cell.button === button));
    const column = this.lines[index]?.cells.findIndex((cell) => cell.button === button) ?? 0;
    const row = this.lines[index]?.element.dataset.row;
    this.store.choose(row === undefined ? this.store.state.row : Number(row), column);
  }

  private build({ name, words, kind, columns, footers = [] }: Content, lines: Line[], rows: number): void {
    this.lines = lines.map(({ row, label, values }) => {
      const cells = values.map(() => {
        const button = el("button", { type: "button", tabindex: -1 });
        return { place: el("td", {}, button), button };
      });
      const head = el("th", { scope: "row" }, label);
      return { element: el("tr", { "data-row": row }, head, ...cells.map(({ place }) => place)), cells };
    });
    const elements = this.lines.map(({ element }) => element);
    const body = el("tbody", {}, ...elements.slice(0, elements.length - footers.length));
    const foot = el("tfoot", {}, ...elements.slice(elements.length - footers.length));
    const table = el("table", { class: "number" }, columnHeads(columns), body, foot);
    this.element.replaceChildren(card(kind, name, words, table, hiddenRows(rows, columns.length)));
  }

  private fill({ row, values }: Line, index: number): void {
    const { state } = this.store;
    const line = this.lines[index];
    line?.element.classList.toggle("chosen", row === state.row);
    line?.cells.forEach(({ place, button }, column) => {
      const value = values[column] ?? 0;
      place.classList.toggle("chosen", column === state.column && (row === null || row === state.row));
      if (button.title === String(value)) return;
      button.title = String(value);
      button.textContent = short(value);
    });
  }
}
