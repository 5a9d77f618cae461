// The table of claims, grouped by experiment, with a filter by verdict.
import { anchor, el, headerRow, type Child } from "./dom";
import { count, decimalsFor, fixed, number, sentence, unknown } from "./format";
import { intervalDrawing } from "./interval";
import type { Claim, Report, Verdict } from "./report";
import { runLink } from "./runs";
import { countVerdicts, verdictLabel, verdicts } from "./verdict";

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

function detailRows(claim: Claim): [string, Child][] {
  const rows: [string, Child][] = [];
  if (claim.statistic !== "") rows.push(["measured as", claim.statistic]);
  if (claim.window !== "") rows.push(["over", claim.window]);
  if (claim.threshold.length > 0) {
    rows.push(["supported if", `the effect is ${criterion(claim)}${claim.unit === "" ? "" : ` ${claim.unit}`}`]);
  }
  if (claim.perSeed.length > 0) rows.push(["seed by seed", claim.perSeed.map((value) => number(value)).join(",  ")]);
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

function claimRows(claim: Claim): HTMLTableRowElement[] {
  const row = el(
    "tr",
    { id: claimAnchor(claim), class: "claim", "data-verdict": claim.verdict },
    el("th", { scope: "row", class: "sentence" }, el("p", {}, claim.sentence), reasons(claim)),
    effectCell(claim),
    el("td", { class: "number", "data-label": "Seeds" }, claim.seeds === null ? unknown : String(claim.seeds)),
    el("td", { class: "number", "data-label": "Paper" }, number(claim.paperValue)),
    el("td", { "data-label": "Verdict" }, verdictLabel(claim.verdict)),
    el("td", { "data-label": "Corrected" }, verdictLabel(claim.verdictCorrected)),
  );
  const method = el("tr", { class: "method", "data-verdict": claim.verdict }, el("td", { colspan: 6 }, details(claim)));
  return [row, method];
}

function group(name: string, title: string, claims: Claim[]): HTMLTableSectionElement {
  const link = el("a", { href: `#${anchor("exp", name)}` }, title);
  const head = el(
    "th",
    { scope: "rowgroup", colspan: 6 },
    link,
    title === name ? null : el("span", { class: "code" }, name),
  );
  return el("tbody", {}, el("tr", { class: "group" }, head), ...claims.flatMap(claimRows));
}

function filter(claims: Claim[], table: HTMLTableElement): HTMLElement {
  const counts = countVerdicts(claims, (claim) => claim.verdict);
  const choices: [string, Verdict | null][] = [
    [`all ${claims.length}`, null],
    ...verdicts.map((verdict): [string, Verdict] => [`${counts[verdict]} ${verdict}`, verdict]),
  ];
  const buttons = choices.map(([label, verdict]) => {
    const button = el("button", { type: "button", "aria-pressed": verdict === null ? "true" : "false" }, label);
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      showOnly(table, verdict);
    });
    return button;
  });
  return el("div", { class: "filter", role: "group", "aria-label": "Show claims by verdict" }, ...buttons);
}

function showOnly(table: HTMLTableElement, verdict: Verdict | null): void {
  for (const body of table.tBodies) {
    for (const row of body.querySelectorAll<HTMLTableRowElement>("tr[data-verdict]")) {
      row.hidden = verdict !== null && row.dataset.verdict !== verdict;
    }
    body.hidden = body.querySelector("tr[data-verdict]:not([hidden])") === null;
  }
}

export function claimsSection(report: Report): HTMLElement {
  const section = el("section", { "aria-labelledby": "claims" }, el("h2", { id: "claims" }, "The claims"));
  if (report.claims.length === 0) {
    section.append(el("p", {}, "This report judges no claim."));
    return section;
  }
  const titles = new Map(report.experiments.map((experiment) => [experiment.name, experiment.title]));
  const groups = new Map<string, Claim[]>();
  for (const claim of report.claims) groups.set(claim.experiment, [...(groups.get(claim.experiment) ?? []), claim]);
  const table = el(
    "table",
    { class: "claims" },
    el(
      "caption",
      { class: "visually-hidden" },
      `${count(report.claims.length, "claim")} with effect, interval and verdict`,
    ),
    headerRow("Claim", "Effect, with 95 % interval", "Seeds", "Paper", "Verdict", "Corrected"),
    ...[...groups].map(([name, claims]) => group(name, titles.get(name) ?? name, claims)),
  );
  section.append(
    el(
      "p",
      { class: "small" },
      "In the drawings a dot is the effect, the bar through it the interval, the upright line the threshold, " +
        "the shaded side the claim's; a hollow diamond is the paper's own value.",
    ),
    filter(report.claims, table),
    table,
  );
  return section;
}
