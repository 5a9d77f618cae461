// The gradient in one formula, beside the one that came step by step.
import { el } from "../dom";
import { short } from "./numbers";
import { NumberTable, type Content } from "./number_table";
import type { State, Store } from "./store";
import { nodeOf, type Row, type Table, type Trace } from "./trace";

const trainingTerms = [
  ["N · dy", "the direct path: what each row asks for itself"],
  ["− Σ dy", "the path through the mean: what all rows ask for together cannot be had"],
  ["− xhat · Σ dy · xhat", "the path through the variance: nor can a stretching of the whole column"],
  ["gamma · rstd / N", "the scale of the whole"],
] as const;

const inferenceTerms = [
  ["dy", "what each row asks for itself; there is no other path"],
  ["gamma · rstd", "the slope of y over x, a constant"],
] as const;

/** dx, and dgamma and dbeta as tables of one row. */
type Gradients = [Table, Table, Table];

function minus(first: Table, second: Table): Table {
  return first.map((row, index) => row.map((value, column) => value - (second[index]?.[column] ?? 0)));
}

function content(trace: Trace, name: string, words: string, [dx, [dgamma = []], [dbeta = []]]: Gradients): Content {
  const footers = [
    { label: "dgamma", values: dgamma },
    { label: "dbeta", values: dbeta },
  ];
  return { name, words, kind: "gradient", columns: trace.columns, values: dx, footers };
}

export class ClosedForm {
  readonly element: HTMLElement;
  private readonly words = el("p");
  private readonly formula = el("p", { class: "formula gradient" });
  private readonly terms = el("dl", { class: "pairs" });
  private readonly verdict = el("p");
  private readonly tables: [NumberTable, NumberTable, NumberTable];

  constructor(store: Store) {
    this.tables = [new NumberTable(store), new NumberTable(store), new NumberTable(store)];
    this.element = el(
      "section",
      { "aria-labelledby": "closed-form" },
      el("h2", { id: "closed-form" }, "The same gradient in one formula"),
      this.words,
      this.formula,
      this.terms,
      el("div", { class: "cards" }, ...this.tables.map((it) => it.element)),
      this.verdict,
    );
    store.listen((state) => this.show(state));
  }

  private show({ trace }: State): void {
    const { formula, dx, dgamma, dbeta } = trace.closed_form;
    const training = trace.mode === "training";
    const sums = ": it needs two sums over the rows, Σ dy and Σ dy · xhat, and these are dbeta and dgamma as well";
    this.words.textContent =
      "Put into one another, the red formulas on the way from dy to dx become one. Fast programs compute this one" +
      `${training ? sums : ""}.`;
    this.formula.textContent = formula;
    const terms = training ? trainingTerms : inferenceTerms;
    this.terms.replaceChildren(...terms.flatMap(([term, words]) => [el("dt", {}, term), el("dd", {}, words)]));
    const gradient = (name: string) => nodeOf(trace, name).gradient ?? [];
    const staged: Gradients = [gradient("x") as Table, [gradient("gamma") as Row], [gradient("beta") as Row]];
    const closed: Gradients = [dx, [dgamma], [dbeta]];
    const [ours, theirs, difference] = this.tables;
    ours.show(content(trace, "dx", "step by step", staged));
    theirs.show(content(trace, "dx", "by the formula", closed));
    const apart = staged.map((table, index) => minus(table, closed[index] ?? [])) as Gradients;
    difference.show({ ...content(trace, "", "the difference of the two", apart), kind: "plain" });
    this.verdict.textContent =
      trace.difference === 0
        ? "They do not differ at all."
        : `They differ by at most ${short(trace.difference)}: both are rounded, to the 16 digits or so that a double ` +
          "has, but at other places.";
  }
}
