// The table of claims: of each experiment its primary claims, then its secondary ones, folded at first.
import { ClaimFilter } from "./claim_filter";
import { claimRows, columns } from "./claim_rows";
import { anchor, el, headerRow } from "./dom";
import { count } from "./format";
import type { Claim, Report } from "./report";
import { ofRank } from "./verdict";

export { claimAnchor } from "./claim_rows";

function groupHead(name: string, title: string): HTMLTableRowElement {
  const link = el("a", { href: `#${anchor("exp", name)}` }, title);
  const code = title === name ? null : el("span", { class: "code" }, name);
  return el("tr", { class: "group" }, el("th", { scope: "rowgroup", colspan: columns.length }, link, code));
}

/** The row that unfolds the secondary claims; ClaimFilter writes its words. */
function foldRow(): HTMLTableRowElement {
  const button = el("button", { type: "button", class: "fold", "aria-expanded": "false" });
  return el("tr", { class: "fold-row" }, el("td", { colspan: columns.length }, button));
}

export function isMeasured(claim: Claim): boolean {
  return claim.effect !== null || claim.perSeed.length > 0;
}

/** One line for an experiment whose runs are not there yet. */
function waitingRow(claims: Claim[]): HTMLTableRowElement {
  const words = `${count(claims.length, "claim")}, not measured yet`;
  return el("tr", { class: "waiting" }, el("td", { colspan: columns.length, class: "small" }, words));
}

function group(name: string, title: string, claims: Claim[]): HTMLTableSectionElement {
  if (!claims.some(isMeasured)) return el("tbody", { class: "waiting" }, groupHead(name, title), waitingRow(claims));
  const secondary = ofRank(claims, "secondary");
  return el(
    "tbody",
    {},
    groupHead(name, title),
    ...ofRank(claims, "primary").flatMap(claimRows),
    secondary.length > 0 ? foldRow() : null,
    ...secondary.flatMap(claimRows),
  );
}

export function claimsSection(report: Report): HTMLElement {
  const section = el("section", { "aria-labelledby": "claims" }, el("h2", { id: "claims" }, "All claims"));
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
    headerRow(...columns),
    ...[...groups].map(([name, claims]) => group(name, titles.get(name) ?? name, claims)),
  );
  section.append(
    el(
      "p",
      { class: "small" },
      "In the drawings a dot is the effect, the bar through it the interval, the upright line the threshold, " +
        "the shaded side the claim's; a hollow diamond is the paper's own value.",
    ),
    new ClaimFilter(report.claims, table).element,
    table,
  );
  return section;
}
