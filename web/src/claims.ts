// The table of claims: of each experiment its primary claims, then its secondary ones, folded at first.
import { ClaimFilter } from "./claim_filter";
import { claimRows, columns } from "./claim_rows";
import { anchor, el, headerRow } from "./dom";
import { count } from "./format";
import { same } from "./keep_place";
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
  const measured = claims.some(isMeasured);
  const secondary = ofRank(claims, "secondary");
  const rows = measured
    ? [
        ...ofRank(claims, "primary").flatMap(claimRows),
        secondary.length > 0 ? foldRow() : null,
        ...secondary.flatMap(claimRows),
      ]
    : [waitingRow(claims)];
  return el("tbody", { "data-experiment": name, class: measured ? null : "waiting" }, groupHead(name, title), ...rows);
}

export class ClaimsSection {
  readonly element = el("section", { "aria-labelledby": "claims" }, el("h2", { id: "claims" }, "All claims"));
  private readonly none = el("p", {}, "This report judges no claim.");
  private readonly some = el("div");
  private readonly caption = el("caption", { class: "visually-hidden" });
  private readonly table = el("table", { class: "claims" }, this.caption, headerRow(...columns));
  readonly filter = new ClaimFilter(this.table);
  private readonly groups = new Map<string, { of: unknown; body: HTMLTableSectionElement }>();

  constructor() {
    this.some.append(
      el(
        "p",
        { class: "small" },
        "In the drawings a dot is the effect, the bar through it the interval, the upright line the threshold, " +
          "the shaded side the claim's; a hollow diamond is the paper's own value.",
      ),
      this.filter.element,
      this.table,
    );
    this.element.append(this.none, this.some);
  }

  /** Shows the claims of a report; rows of experiments whose claims are as before stay as they are. */
  setReport(report: Report): void {
    this.none.hidden = report.claims.length > 0;
    this.some.hidden = report.claims.length === 0;
    this.caption.textContent = `${count(report.claims.length, "claim")} with effect, interval and verdict`;
    const titles = new Map(report.experiments.map((experiment) => [experiment.name, experiment.title]));
    const byExperiment = new Map<string, Claim[]>();
    for (const claim of report.claims) {
      byExperiment.set(claim.experiment, [...(byExperiment.get(claim.experiment) ?? []), claim]);
    }
    const bodies = [...byExperiment].map(([name, claims]) => this.body(name, titles.get(name) ?? name, claims));
    const now = [...this.table.tBodies];
    if (now.length !== bodies.length || bodies.some((body, i) => now[i] !== body)) {
      for (const body of now) if (!bodies.includes(body)) body.remove();
      this.table.append(...bodies);
    }
    this.filter.setReport(report);
  }

  private body(name: string, title: string, claims: Claim[]): HTMLTableSectionElement {
    const of = [title, claims];
    const known = this.groups.get(name);
    if (known && same(known.of, of)) return known.body;
    const body = group(name, title, claims);
    if (known) {
      // What was unfolded stays so.
      const open = known.body.querySelectorAll("details");
      body.querySelectorAll("details").forEach((fold, i) => (fold.open = open[i]?.open ?? false));
      const expanded = known.body.querySelector("button.fold")?.getAttribute("aria-expanded") ?? "false";
      body.querySelector("button.fold")?.setAttribute("aria-expanded", expanded);
      known.body.replaceWith(body);
    }
    this.groups.set(name, { of, body });
    return body;
  }
}
