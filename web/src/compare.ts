// Two runs side by side: first where their specs differ, then their results and both curves.
import { curveFigure } from "./curve_figure";
import { el, headerRow, scrollable } from "./dom";
import { count } from "./format";
import type { Run } from "./report";
import { compared, type Difference } from "./run_spec";
import { resultRows } from "./run_words";
import type { Source } from "./source";

function table(rows: Difference[], runs: [Run, Run], label: string): HTMLElement {
  const cells = rows.map(({ key, a, b }) =>
    el("tr", {}, el("th", { scope: "row" }, key), el("td", { class: "code" }, a), el("td", { class: "code" }, b)),
  );
  const [first, second] = runs.map((run) => run.id.slice(0, 10));
  return scrollable(
    el("table", { class: "plain compared" }, headerRow("of the run", first!, second!), el("tbody", {}, ...cells)),
    label,
  );
}

function results(a: Run, b: Run): Difference[] {
  const [left, right] = [new Map(resultRows(a)), new Map(resultRows(b))];
  return [...new Set([...left.keys(), ...right.keys()])].map((key) => ({
    key,
    a: left.get(key) ?? "–",
    b: right.get(key) ?? "–",
  }));
}

function specs(runs: [Run, Run]): HTMLElement[] {
  const [a, b] = runs;
  if (!a.spec || !b.spec)
    return [el("p", { class: "small" }, "What they were asked to do is not stored in this report.")];
  const { other, same } = compared(a.spec, b.spec);
  const differing =
    other.length === 0
      ? el("p", {}, "They were asked to do the same.")
      : table(other, runs, "Where the two runs differ");
  const alike = el(
    "details",
    {},
    el("summary", {}, `${count(same.length, "setting")} alike`),
    table(same, runs, "Where the two runs are alike"),
  );
  return [el("h4", {}, "Where they differ"), differing, same.length > 0 ? alike : el("span")];
}

/** Null if one of them is not known. */
export async function comparison(source: Source, first: string, second: string): Promise<HTMLElement | null> {
  const [a, b] = await Promise.all([source.run(first), source.run(second)]);
  if (!a || !b) return null;
  const runs: [Run, Run] = [a, b];
  const titles = runs.map((run) => el("li", {}, el("span", { class: "code" }, run.id.slice(0, 10)), ` ${run.title}`));
  return el(
    "div",
    { class: "comparison" },
    el("ul", { class: "compared-runs" }, ...titles),
    ...specs(runs),
    el("h4", {}, "Results"),
    table(results(a, b), runs, "Results of the two runs"),
    await curveFigure(source, runs),
  );
}
