// The editable tables: x with gamma, beta and, in inference, what training left; and dy.
import { el, type Child } from "../dom";
import { fieldName, type Part, type Place } from "./draft";
import { card, columnHeads, hiddenRows, rowsShown } from "./number_table";
import type { State, Store } from "./store";

const widest = 7; // characters that fit into a field

/** A long number is shown with as many digits as fit, at most five, until its field is entered. */
function displayed(text: string): string {
  if (text.length <= widest || !Number.isFinite(Number(text))) return text;
  const rounded = [5, 4, 3, 2, 1].map((digits) => String(Number(Number(text).toPrecision(digits))));
  return rounded.find((it) => it.length <= widest) ?? text;
}

/** Up, down and Enter go to the field above or below, as in a spreadsheet. */
function neighbour(field: HTMLElement, key: string): HTMLElement | null {
  const down = key === "ArrowDown" || key === "Enter";
  if (!down && key !== "ArrowUp") return null;
  const all = [...(field.closest("table")?.querySelectorAll<HTMLElement>("input") ?? [])];
  const column = all.filter((it) => it.dataset.column === field.dataset.column);
  return column[column.indexOf(field) + (down ? 1 : -1)] ?? null;
}

function isTablePart(part: Part): boolean {
  return part === "x" || part === "dy";
}

export class Fields {
  private readonly inputs: { input: HTMLInputElement; place: Place }[] = [];

  constructor(private readonly store: Store) {}

  /** To be called before the fields of another draft are made. */
  forget(): void {
    this.inputs.length = 0;
  }

  private textOf({ part, row, column }: Place): string {
    return this.store.state.draft.texts[part][row]?.[column] ?? "";
  }

  input(place: Place): HTMLInputElement {
    const { part, row, column } = place;
    const input = el("input", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": fieldName(this.store.state.draft, place),
      "data-part": part,
      "data-row": row,
      "data-column": column,
    });
    const abbreviate = () => (input.value = displayed(this.textOf(place)));
    input.addEventListener("focus", () => {
      if (input.value !== this.textOf(place)) {
        input.value = this.textOf(place);
        input.select(); // as the browser had selected the shorter text
      }
      if (part !== "eps") this.store.choose(isTablePart(part) ? row : this.store.state.row, column);
    });
    input.addEventListener("input", () => this.store.type(place, input.value));
    input.addEventListener("blur", abbreviate);
    input.addEventListener("keydown", (event) => {
      const next = neighbour(input, event.key);
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
    abbreviate();
    this.inputs.push({ input, place });
    return input;
  }

  /** Marks what cannot be computed, and the chosen cell. */
  mark({ problems, row, column }: State): void {
    const keyOf = (place: Place | null) => (place ? `${place.part} ${place.row} ${place.column}` : "");
    const wrong = new Map(problems.map(({ place, sentence }) => [keyOf(place), sentence]));
    for (const { input, place } of this.inputs) {
      const sentence = wrong.get(keyOf(place));
      input.setAttribute("aria-invalid", String(sentence !== undefined));
      input.title = sentence ?? this.textOf(place);
      const inRow = isTablePart(place.part) && place.row === row;
      input.closest("tr")?.classList.toggle("chosen", inRow);
      input.parentElement?.classList.toggle("chosen", inRow && place.column === column);
    }
  }

  first(part: Part, row: number): HTMLInputElement | undefined {
    return this.inputs.find(({ place }) => place.part === part && place.row === row)?.input;
  }

  private rowOf(part: Part, row: number, head: string, end: Child = null): HTMLElement {
    const texts = this.store.state.draft.texts[part][row] ?? [];
    const cells = texts.map((_, column) => el("td", {}, this.input({ part, row, column })));
    return el("tr", {}, el("th", { scope: "row" }, head), ...cells, end);
  }

  private rowsOf(part: Part, end: (row: number) => Child): HTMLElement {
    const { columns, texts } = this.store.state.draft;
    const rows = texts[part].slice(0, rowsShown(columns.length));
    return el("tbody", {}, ...rows.map((_, row) => this.rowOf(part, row, String(row + 1), end(row))));
  }

  /** The table x, with a row for each number of a column below. */
  table(...more: Child[]): HTMLElement {
    const { columns, inference, texts } = this.store.state.draft;
    const remove = (row: number) => {
      const attributes = {
        type: "button",
        class: "remove",
        title: `Remove row ${row + 1}`,
        disabled: texts.x.length === 1,
      };
      const button = el("button", { ...attributes, "aria-label": `Remove row ${row + 1}` }, "×");
      button.addEventListener("click", () => {
        this.store.removeRow(row);
        this.first("x", Math.min(row, this.store.state.draft.texts.x.length - 1))?.focus();
      });
      return el("td", {}, button);
    };
    const parts: Part[] = inference ? ["running_mean", "running_var", "gamma", "beta"] : ["gamma", "beta"];
    const foot = el("tfoot", {}, ...parts.map((part) => this.rowOf(part, 0, part)));
    const table = el("table", { class: "number" }, columnHeads(columns, el("td")), this.rowsOf("x", remove), foot);
    return card("value", "x", "the table that comes in", table, hiddenRows(texts.x.length, columns.length), ...more);
  }

  gradient(...more: Child[]): HTMLElement {
    const { columns } = this.store.state.draft;
    const table = el(
      "table",
      { class: "number" },
      columnHeads(columns),
      this.rowsOf("dy", () => null),
    );
    return card("gradient", "dy", "the gradient that arrives at y", table, ...more);
  }
}
