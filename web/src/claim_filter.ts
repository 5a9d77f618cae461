// Which rows of the table of claims are seen: by verdict, by rank, and whether secondary claims are unfolded.
import { el } from "./dom";
import { count } from "./format";
import type { Claim, Rank, Verdict } from "./report";
import { countVerdicts, ofRank, verdicts } from "./verdict";

interface Group {
  body: HTMLTableSectionElement;
  primary: HTMLTableRowElement[];
  secondary: HTMLTableRowElement[];
  foldRow: HTMLTableRowElement | null;
  button: HTMLButtonElement | null;
}

interface Choice<T> {
  label: string;
  value: T;
}

function readGroup(body: HTMLTableSectionElement): Group {
  const rows = (rank: Rank) => [...body.querySelectorAll<HTMLTableRowElement>(`tr[data-rank="${rank}"]`)];
  return {
    body,
    primary: rows("primary"),
    secondary: rows("secondary"),
    foldRow: body.querySelector(".fold-row"),
    button: body.querySelector("button.fold"),
  };
}

function claimsAmong(rows: HTMLTableRowElement[]): number {
  return rows.filter((row) => row.classList.contains("claim") && !row.hidden).length;
}

export class ClaimFilter {
  readonly element: HTMLElement;
  private verdict: Verdict | null = null;
  private rank: Rank | null = null;
  private readonly groups: Group[];
  private readonly shown = el("p", { class: "small filter-result", "aria-live": "polite" });
  private readonly verdictButtons = new Map<Verdict | null, HTMLButtonElement>();

  constructor(
    private readonly claims: Claim[],
    table: HTMLTableElement,
  ) {
    this.groups = [...table.tBodies].map(readGroup);
    for (const group of this.groups) group.button?.addEventListener("click", () => this.toggle(group));
    this.element = el("div", { class: "filters" }, this.byVerdict(), this.byRank(), this.shown);
    const follow = () => this.reveal(decodeURIComponent(location.hash.slice(1)));
    window.addEventListener("hashchange", follow);
    this.update();
    follow();
  }

  private byVerdict(): HTMLElement {
    const choices = [null, ...verdicts].map((value): Choice<Verdict | null> => ({ label: "", value }));
    return this.choice("Show claims by verdict", choices, this.verdictButtons, (value) => (this.verdict = value));
  }

  private byRank(): HTMLElement | null {
    const [primary, secondary] = [ofRank(this.claims, "primary"), ofRank(this.claims, "secondary")];
    if (primary.length === 0 || secondary.length === 0) return null;
    const choices: Choice<Rank | null>[] = [
      { label: "both ranks", value: null },
      { label: `${primary.length} primary`, value: "primary" },
      { label: `${secondary.length} secondary`, value: "secondary" },
    ];
    return this.choice("Show claims by rank", choices, new Map(), (value) => (this.rank = value));
  }

  private choice<T>(
    label: string,
    choices: Choice<T>[],
    buttons: Map<T, HTMLButtonElement>,
    choose: (value: T) => void,
  ): HTMLElement {
    for (const { label: words, value } of choices) {
      const button = el("button", { type: "button", "aria-pressed": String(value === null) }, words);
      button.addEventListener("click", () => {
        for (const other of buttons.values()) other.setAttribute("aria-pressed", String(other === button));
        choose(value);
        this.update();
      });
      buttons.set(value, button);
    }
    return el("div", { class: "filter", role: "group", "aria-label": label }, ...buttons.values());
  }

  private toggle(group: Group): void {
    group.button?.setAttribute("aria-expanded", String(group.button.getAttribute("aria-expanded") !== "true"));
    this.update();
  }

  /** Unfolds the claim of this id, if it is a secondary one. */
  private reveal(id: string): void {
    if (id === "") return;
    const group = this.groups.find(({ secondary }) => secondary.some((row) => row.id === id));
    if (!group) return;
    group.button?.setAttribute("aria-expanded", "true");
    this.update();
    document.getElementById(id)?.scrollIntoView();
  }

  private update(): void {
    const ofThisRank = this.rank === null ? this.claims : ofRank(this.claims, this.rank);
    const counts = countVerdicts(ofThisRank);
    for (const [verdict, button] of this.verdictButtons) {
      button.textContent = verdict === null ? `all ${ofThisRank.length}` : `${counts[verdict]} ${verdict}`;
    }
    const matching = ofThisRank.filter((claim) => this.verdict === null || claim.verdict === this.verdict);
    for (const group of this.groups) this.updateGroup(group);
    this.shown.textContent =
      matching.length === this.claims.length ? "" : `${count(matching.length, "claim")} of ${this.claims.length}`;
  }

  private updateGroup({ body, primary, secondary, foldRow, button }: Group): void {
    const hide = (rows: HTMLTableRowElement[], rank: Rank) => {
      for (const row of rows) {
        const fits = this.verdict === null || row.dataset.verdict === this.verdict;
        row.hidden = !fits || (this.rank !== null && this.rank !== rank);
      }
    };
    hide(primary, "primary");
    hide(secondary, "secondary");
    const n = claimsAmong(secondary);
    const folded = this.rank === null && button?.getAttribute("aria-expanded") !== "true";
    // Folded rows are not hidden: they are printed.
    for (const row of secondary) row.classList.toggle("folded", folded);
    if (foldRow) foldRow.hidden = n === 0 || this.rank !== null;
    if (button) button.textContent = count(n, "secondary claim");
    body.hidden = n + claimsAmong(primary) === 0;
  }
}
