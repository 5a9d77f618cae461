// A claim in the table of claims: its row, and behind "Quote and method" how it was judged.
import { anchor, el, type Child } from "./dom";
import { decimalsFor, fixed, number, sentence, unknown } from "./format";
import { intervalDrawing } from "./interval";
import type { Claim } from "./report";
import { runLink } from "./run_words";
import { verdictLabel } from "./verdict";

export const columns = ["Claim", "Effect, with 95 % interval", "Seeds", "Paper", "Verdict"];

export function claimAnchor(claim: Claim): string {
  return anchor("claim", claim.experiment, claim.id);
}

/** "above 0", "between −1 and 1": what the effect has to be for the claim to be supported. */
function criterion(claim: Claim): string {
  const bounds = claim.threshold.map((bound) => number(bound));
  if (bounds.length === 0) return "";
  if (claim.direction !== "within") return `${claim.direction} ${bounds[0]}`;
  return bounds.length === 1 ? `within ±${bounds[0]}` : `between ${bounds[0]} and ${bounds[1]}`;
}

function factor(logRatio: number): string {
  return `×${number(Math.exp(logRatio), logRatio < 0 ? 2 : 3)}`;
}

function effectCell(claim: Claim): HTMLElement {
  if (claim.effect === null) {
    return el("td", { class: "effect", "data-label": "Effect" }, el("span", { class: "small" }, "not measured"));
  }
  const width = claim.interval ? claim.interval[1] - claim.interval[0] : Math.abs(claim.effect);
  const decimals = decimalsFor(width);
  const isLog = claim.unit === "log ratio";
  const unit = isLog ? ` log ratio (${factor(claim.effect)})` : claim.unit === "" ? "" : ` ${claim.unit}`;
  const span = claim.interval
    ? `95 %: ${fixed(claim.interval[0], decimals)} to ${fixed(claim.interval[1], decimals)}` +
      (isLog ? ` (${factor(claim.interval[0])} to ${factor(claim.interval[1])})` : "")
    : "no interval";
  return el(
    "td",
    { class: "effect", "data-label": "Effect" },
    el("div", {}, el("strong", {}, fixed(claim.effect, decimals)), unit),
    el("div", { class: "small" }, span),
    intervalDrawing(claim),
  );
}

function reasons(claim: Claim): HTMLElement | null {
  const failed = claim.preconditions.filter((it) => !it.holds && !claim.reason.includes(it.name));
  if (claim.reason === "" && failed.length === 0) return null;
  return el(
    "div",
    { class: "reasons" },
    claim.reason === "" ? null : el("p", {}, sentence(claim.reason)),
    ...failed.map((it) =>
      el("p", {}, "Precondition not met: ", el("em", {}, it.name), it.detail === "" ? "" : ` (${it.detail})`),
    ),
  );
}

function pText(p: number): string {
  return p < 0.001 ? "p < 0.001" : `p = ${number(p, 2)}`;
}

/** The claim's test alone and after the correction; the only place where the verdict without it is shown. */
function testRows(claim: Claim): [string, Child][] {
  const alone = claim.p === null ? claim.verdictRaw : `${claim.verdictRaw} (${pText(claim.p)}, two-sided)`;
  const rows: [string, Child][] = [["taken alone", alone]];
  const adjusted = claim.pAdjusted === null ? "" : ` (adjusted ${pText(claim.pAdjusted)})`;
  rows.push([
    "corrected",
    `${claim.verdict}${adjusted}: the verdict, by Holm's method within the ${claim.rank} claims of this experiment`,
  ]);
  return rows;
}

function detailRows(claim: Claim): [string, Child][] {
  const rows: [string, Child][] = [];
  if (claim.statistic !== "") rows.push(["measured as", claim.statistic]);
  if (claim.window !== "") rows.push(["over", claim.window]);
  if (claim.threshold.length > 0) {
    rows.push(["supported if", `the effect is ${criterion(claim)}${claim.unit === "" ? "" : ` ${claim.unit}`}`]);
  }
  if (claim.perSeed.length > 0) rows.push(["seed by seed", claim.perSeed.map((value) => number(value)).join(",  ")]);
  rows.push(...testRows(claim));
  for (const it of claim.preconditions) {
    rows.push([
      "precondition",
      `${it.name}: ${it.holds ? "holds" : "does not hold"}${it.detail === "" ? "" : `, ${it.detail}`}`,
    ]);
  }
  if (claim.runs.length > 0)
    rows.push(["runs", el("span", { class: "ids" }, ...claim.runs.flatMap((id) => [runLink(id), " "]))]);
  return rows;
}

function details(claim: Claim): HTMLElement {
  return el(
    "details",
    {},
    el("summary", {}, claim.quote === "" ? "Method" : "Quote and method"),
    claim.quote === "" ? null : el("blockquote", {}, claim.quote),
    el(
      "dl",
      { class: "pairs" },
      ...detailRows(claim).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
    ),
  );
}

/** The claim's row and, below it, its quote and method. */
export function claimRows(claim: Claim): HTMLTableRowElement[] {
  const marks = { "data-verdict": claim.verdict, "data-rank": claim.rank };
  const row = el(
    "tr",
    { id: claimAnchor(claim), class: `claim ${claim.rank}`, ...marks },
    el("th", { scope: "row", class: "sentence" }, el("p", {}, claim.sentence), reasons(claim)),
    effectCell(claim),
    el("td", { class: "number", "data-label": "Seeds" }, claim.seeds === null ? unknown : String(claim.seeds)),
    el("td", { class: "number", "data-label": "Paper" }, number(claim.paperValue)),
    el("td", { "data-label": "Verdict" }, verdictLabel(claim.verdict)),
  );
  const wide = el("td", { colspan: columns.length }, details(claim));
  return [row, el("tr", { class: `method ${claim.rank}`, ...marks }, wide)];
}
