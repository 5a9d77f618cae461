// One experiment, a stop of the tour: its question, what it is about in plain words, its picture with its claims beside
// it, what to try next; behind a fold the closer look: its other figures, what was run, the paper's numbers, its cost.
import { claimAnchor, isMeasured } from "./claims";
import { command } from "./copy";
import { anchor, el, headerRow, scrollable } from "./dom";
import { figureElement } from "./figure";
import { count, duration, number, unknown } from "./format";
import type { Claim, Experiment, Figure, PaperNumber, Report } from "./report";
import { withTerms } from "./terms";
import { ofRank, verdictLabel, verdictMarks } from "./verdict";

export function experimentAnchor(name: string): string {
  return anchor("exp", name);
}

function subheading(text: string): HTMLElement {
  return el("h4", {}, text);
}

function sourceLine(experiment: Experiment): HTMLElement | null {
  const parts = [experiment.source, experiment.figure].filter((part) => part !== "");
  return parts.length === 0 ? null : el("p", { class: "source" }, parts.join(", "));
}

function stateNotice(experiment: Experiment): HTMLElement | null {
  if (experiment.state === "complete" || experiment.error !== "") return null;
  const words =
    experiment.state === "failed"
      ? "This experiment failed: what follows is what could be computed."
      : "This experiment is partial: some of its runs are missing.";
  return el("p", { class: "notice", role: "note" }, words);
}

/** Why there is nothing to show, in place of the figures. */
function failureNotice(experiment: Experiment): HTMLElement | null {
  if (experiment.error === "") return null;
  return el(
    "p",
    { class: "notice failure", role: "note" },
    "The findings of this experiment could not be drawn from its runs: ",
    el("span", {}, experiment.error),
  );
}

function claimList(claims: Claim[], label: string): HTMLElement | null {
  if (claims.length === 0) return null;
  const items = claims.map((claim) =>
    el("li", {}, verdictLabel(claim.verdict), el("a", { href: `#${claimAnchor(claim)}` }, claim.sentence)),
  );
  return el("ul", { class: "claim-list", "aria-label": label }, ...items);
}

function secondaryClaims(claims: Claim[], hasPrimary: boolean): HTMLElement | null {
  if (claims.length === 0) return null;
  const words = `${hasPrimary ? "and " : ""}${count(claims.length, "secondary claim")}`;
  return el(
    "details",
    { class: "secondary-claims" },
    el("summary", {}, words, " ", verdictMarks(claims)),
    claimList(claims, "Secondary claims of this experiment"),
  );
}

function claimLists(report: Report, experiment: Experiment): (HTMLElement | null)[] {
  const claims = report.claims.filter((claim) => claim.experiment === experiment.name);
  if (claims.length > 0 && !claims.some(isMeasured)) {
    return [el("p", { class: "small" }, `${count(claims.length, "claim")}, not measured yet.`)];
  }
  const primary = ofRank(claims, "primary");
  return [
    claimList(primary, "Primary claims of this experiment"),
    secondaryClaims(ofRank(claims, "secondary"), primary.length > 0),
  ];
}

function quantity(value: number | string | null): string {
  if (typeof value === "string") return value === "" ? unknown : value;
  return number(value, 4);
}

function paperTable(numbers: PaperNumber[]): HTMLElement[] {
  if (numbers.length === 0) return [];
  const rows = numbers.map((it) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, it.quantity),
      el("td", { class: "number" }, quantity(it.paper)),
      el("td", { class: "number" }, quantity(it.ours)),
      el("td", {}, it.note),
    ),
  );
  const table = el(
    "table",
    { class: "plain" },
    headerRow("Quantity", "Paper", "Here", "Note"),
    el("tbody", {}, ...rows),
  );
  return [subheading("The paper's numbers beside ours"), scrollable(table, "The paper's numbers beside ours")];
}

function costLine(experiment: Experiment): HTMLElement | null {
  const { runs, seconds, computedNow } = experiment.cost;
  if (runs === null) return null;
  const earlier = computedNow === null ? 0 : runs - computedNow;
  const reuse =
    computedNow === null || earlier <= 0
      ? ""
      : `; ${computedNow} computed for this report, ${earlier} taken from earlier work`;
  return el("p", { class: "small" }, `Cost: ${count(runs, "run")}, ${duration(seconds)} of computing time${reuse}.`);
}

function prose(title: string, paragraphs: string[]): HTMLElement[] {
  return paragraphs.length === 0 ? [] : [subheading(title), ...paragraphs.map((text) => el("p", {}, text))];
}

function answerBlock(experiment: Experiment): HTMLElement | null {
  if (experiment.answer.length === 0) return null;
  const paragraphs = experiment.answer.map((text) => el("p", {}, text));
  return el("section", { class: "answer", "aria-label": "Answer" }, subheading("Answer"), ...paragraphs);
}

function tryNext(experiment: Experiment): HTMLElement[] {
  return experiment.tryNext === "" ? [] : [el("p", { class: "small" }, "To go on from here:"), command(experiment.tryNext)];
}

/** `whatIf` makes its element, which is not needed before somebody looks. */
function closerLook(experiment: Experiment, figures: Figure[], whatIf: () => HTMLElement): HTMLElement {
  const words = figures.length === 0 ? "" : `${count(figures.length, "more figure")}, `;
  const place = el("div", { class: "what-if-place" }, subheading("What if"));
  const fold = el(
    "details",
    { class: "closer" },
    el("summary", {}, `A closer look: ${words}what was run, its cost, what if`),
    ...figures.map((figure) => figureElement(figure)),
    ...prose("What was run", experiment.whatWasRun),
    ...paperTable(experiment.paperNumbers),
    ...prose("Notes", experiment.notes),
    costLine(experiment),
    place,
  );
  fold.addEventListener("toggle", () => fold.open && place.childElementCount === 1 && place.append(whatIf()));
  return fold;
}

export function experimentSection(
  report: Report,
  experiment: Experiment,
  figures: Figure[],
  whatIf: () => HTMLElement,
): HTMLElement {
  const id = experimentAnchor(experiment.name);
  const [first, ...more] = figures;
  return el(
    "article",
    { class: "experiment", "aria-labelledby": id },
    el("h3", { id }, experiment.title, el("span", { class: "code" }, experiment.name)),
    experiment.question === "" ? null : el("p", { class: "question" }, ...withTerms(experiment.question)),
    experiment.plainly === "" ? null : el("p", { class: "plainly" }, ...withTerms(experiment.plainly)),
    stateNotice(experiment),
    failureNotice(experiment),
    el(
      "div",
      { class: "stop" },
      first === undefined ? null : figureElement(first),
      el("div", { class: "beside" }, ...claimLists(report, experiment), answerBlock(experiment), ...tryNext(experiment)),
    ),
    sourceLine(experiment),
    closerLook(experiment, more, whatIf),
  );
}
