// A run, opened: its spec in groups, its cost, why it failed, its curve, what its process said, and what if it were
// computed with another rate, batch, normalization or seed.
import { fullAddress, showInAddress } from "./address";
import { copyText } from "./copy";
import { curveFigure } from "./curve_figure";
import { anchor, el } from "./dom";
import type { Run } from "./report";
import { grouped } from "./run_spec";
import { pairs, resultRows } from "./run_words";
import type { Source } from "./source";
import { trainForm } from "./train_form";

function specBlock(run: Run): HTMLElement {
  if (!run.spec) return el("p", { class: "small" }, "What this run was asked to do is not stored in this report.");
  const groups = grouped(run.spec).map(({ title, rows }) =>
    el("section", {}, el("h4", {}, title), pairs(rows.map(({ key, value }) => [key, value]))),
  );
  return el(
    "div",
    {},
    el("div", { class: "spec-groups" }, ...groups),
    el("p", { class: "small" }, "What is not named here is at its default."),
  );
}

function logFold(source: Source, run: Run): HTMLElement | null {
  const { log } = source;
  if (!log) return null;
  const text = el("pre", { class: "log", tabindex: 0, "aria-label": "Log of the run" });
  const fold = el("details", {}, el("summary", {}, "What its process said"), text);
  fold.addEventListener("toggle", () => {
    if (!fold.open) return;
    const show = (words: string) => (text.textContent = words);
    log(run.id).then(
      (words) => show(words || "Nothing."),
      (error: Error) => show(error.message),
    );
  });
  return fold;
}

export interface DetailActions {
  compare: (id: string) => void;
}

function actions(run: Run, { compare }: DetailActions): HTMLElement {
  const link = el("button", { type: "button" }, "copy its address");
  link.addEventListener("click", () => {
    const place = anchor("run", run.id);
    showInAddress(place, new URLSearchParams());
    void copyText(fullAddress(place), link);
  });
  const button = el("button", { type: "button" }, "compare with another run");
  button.addEventListener("click", () => compare(run.id));
  return el("div", { class: "controls" }, button, link);
}

export async function runDetail(source: Source, known: Run, on: DetailActions): Promise<HTMLElement> {
  const run = (await source.run(known.id)) ?? known;
  const result = el(
    "section",
    {},
    el("h4", {}, "Result"),
    pairs([["id", el("span", { class: "code" }, run.id)], ...resultRows(run)]),
    run.error === "" ? null : el("p", { class: "run-error" }, run.error),
  );
  const isTrain = run.kind === "train" && run.spec !== null;
  const whatIf = isTrain ? el("section", {}, el("h4", {}, "What if"), trainForm(source, run)) : null;
  return el(
    "div",
    { class: "run-detail" },
    actions(run, on),
    result,
    run.kind === "train" ? await curveFigure(source, [run]) : null,
    specBlock(run),
    logFold(source, run),
    whatIf,
  );
}
