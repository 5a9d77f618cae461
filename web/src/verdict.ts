// The three verdicts as coloured labels that also say their verdict in words, and as single marks for the contents
// list.
import { el } from "./dom";
import type { Claim, Rank, Verdict } from "./report";

export const verdicts: readonly Verdict[] = ["supported", "not supported", "undecided"];

const marks: Record<Verdict, string> = { supported: "✓", "not supported": "✕", undecided: "?" };

export function verdictClass(verdict: Verdict): string {
  return `verdict-${verdict.replace(" ", "-")}`;
}

export function verdictLabel(verdict: Verdict): HTMLElement {
  const mark = el("span", { class: "mark", "aria-hidden": "true" }, marks[verdict]);
  return el("span", { class: `verdict ${verdictClass(verdict)}` }, mark, verdict);
}

/** One mark a claim, for example "✓✓?", with the counts in words for screen readers. */
export function verdictMarks(claims: Claim[]): HTMLElement {
  const words = verdictWords(claims);
  const signs = claims.map((claim) => el("span", { class: verdictClass(claim.verdict) }, marks[claim.verdict]));
  return el("span", { class: "verdict-marks", role: "img", "aria-label": words, title: words }, ...signs);
}

export function countVerdicts(claims: Claim[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { supported: 0, "not supported": 0, undecided: 0 };
  for (const claim of claims) counts[claim.verdict] += 1;
  return counts;
}

/** "4 supported, 1 undecided": the verdicts that occur. */
export function verdictWords(claims: Claim[]): string {
  const counts = countVerdicts(claims);
  return verdicts
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `${counts[verdict]} ${verdict}`)
    .join(", ");
}

export function ofRank(claims: Claim[], rank: Rank): Claim[] {
  return claims.filter((claim) => claim.rank === rank);
}
