// Below the graph: the step that is being taken, or the node that was clicked, in words, as a formula with the numbers
// of the chosen cell put in, and as tables.
import { el, type Child } from "../dom";
import { NumberTable } from "./number_table";
import { worked, type Piece } from "./numbers";
import { position } from "./steps";
import type { State, Store } from "./store";
import { isTable, nodeOf, type TraceNode } from "./trace";
import { overview, wordsOn } from "./words";

function shown(piece: Piece): Child {
  if (piece.exact === undefined) return piece.text;
  return el("span", { class: piece.kind, title: `${piece.name} = ${piece.exact}` }, piece.text);
}

/** The formula, and the same in numbers. */
function formulaOf({ trace, row, column }: State, name: string, isGradient: boolean): HTMLElement {
  const { formula, pieces, result } = worked(trace, name, isGradient, row, column);
  const end = [" = ", el("strong", {}, shown(result))];
  const numbers = pieces.length > 0 ? [" = ", ...pieces.map(shown), ...end] : [...end, ", given"];
  return el("p", { class: `formula number ${isGradient ? "gradient" : "value"}` }, el("span", {}, formula), ...numbers);
}

/** Which cell the numbers are of. */
function cellName({ trace, row, column }: State, node: TraceNode): string {
  const inColumn = `column ${trace.columns[column] ?? ""}`;
  return isTable(node.value) ? `row ${row + 1}, ${inColumn}` : inColumn;
}

export class Panel {
  readonly element: HTMLElement;
  private readonly heading = el("h3");
  private readonly words = el("div", { class: "words", "aria-live": "polite" });
  private readonly formulas = el("div");
  private readonly value: NumberTable;
  private readonly gradient: NumberTable;

  constructor(store: Store) {
    this.value = new NumberTable(store);
    this.gradient = new NumberTable(store);
    const told = el("div", {}, this.heading, this.words, this.formulas);
    const tables = el("div", { class: "cards" }, this.value.element, this.gradient.element);
    this.element = el("div", {}, told, tables);
    store.listen((state) => this.show(state));
  }

  private show(state: State): void {
    const step = state.steps[state.taken - 1];
    this.element.className = step || state.picked !== null ? "panel" : "panel whole";
    if (state.picked !== null) this.showNode(state, nodeOf(state.trace, state.picked), true, true);
    else if (step) this.showNode(state, nodeOf(state.trace, step.node), !step.backward, step.backward);
    else this.showOverview(state);
  }

  private showOverview({ trace }: State): void {
    this.heading.replaceChildren("The whole computation");
    this.say(overview(trace.mode === "inference"));
    this.formulas.replaceChildren();
    this.value.clear();
    this.gradient.clear();
  }

  /** With what happens there on the way forward, on the way back, or on both. */
  private showNode(state: State, node: TraceNode, forward: boolean, backward: boolean): void {
    const { name, meaning, gradient_formula, value, gradient } = node;
    const { trace, steps, taken, picked } = state;
    const inference = trace.mode === "inference";
    const ways = [forward ? [false] : [], backward && gradient !== null ? [true] : []].flat();
    const where = picked === null ? position(steps, taken) : "Chosen in the graph";
    this.heading.replaceChildren(
      el("span", { class: "small" }, where),
      el("strong", { class: forward ? "value" : "gradient" }, forward ? name : `d${name}`),
      ` ${forward ? meaning : `gradient of ${name}`}`,
    );
    this.say(...ways.map((back) => wordsOn({ node: name, backward: back }, inference)));
    this.formulas.replaceChildren(
      el("p", { class: "small" }, `In ${cellName(state, node)}:`),
      ...ways.map((back) => formulaOf(state, name, back)),
      backward && gradient === null ? el("p", { class: "formula gradient" }, `gradient: ${gradient_formula}`) : "",
    );
    const { columns } = trace;
    this.value.show({ name, words: "", kind: "value", columns, values: value });
    if (!backward || gradient === null) this.gradient.clear();
    else this.gradient.show({ name: `d${name}`, words: "", kind: "gradient", columns, values: gradient });
  }

  /** The same words once more would be read aloud once more. */
  private say(...paragraphs: string[]): void {
    if (this.words.textContent === paragraphs.join("")) return;
    this.words.replaceChildren(...paragraphs.map((text) => el("p", {}, text)));
  }
}
