// Which rows of the table of claims are seen: by verdict, rank, experiment, source and words, and whether secondary
// claims are unfolded. The address carries the choice.
import { onAddress, readAddress, showInAddress, type Address } from "./address";
import { claimAnchor } from "./claim_rows";
import { el } from "./dom";
import { count } from "./format";
import type { Claim, Rank, Report, Verdict } from "./report";
import { countVerdicts, ofRank, verdicts } from "./verdict";

interface Group {
  body: HTMLTableSectionElement;
  primary: HTMLTableRowElement[];
  secondary: HTMLTableRowElement[];
  foldRow: HTMLTableRowElement | null;
  button: HTMLButtonElement | null;
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

/** A row of buttons of which one is pressed. */
class Choice<T> {
  readonly element: HTMLElement;
  readonly buttons = new Map<T, HTMLButtonElement>();
  value: T;

  constructor(label: string, values: T[], first: T, chosen: () => void) {
    this.value = first;
    for (const value of values) {
      const button = el("button", { type: "button" });
      button.addEventListener("click", () => {
        this.set(value);
        chosen();
      });
      this.buttons.set(value, button);
    }
    this.element = el("div", { class: "filter", role: "group", "aria-label": label }, ...this.buttons.values());
    this.set(first);
  }

  set(value: T): void {
    this.value = this.buttons.has(value) ? value : [...this.buttons.keys()][0]!;
    for (const [other, button] of this.buttons) button.setAttribute("aria-pressed", String(other === this.value));
  }
}

export class ClaimFilter {
  readonly element: HTMLElement;
  private claims: Claim[] = [];
  private groups: Group[] = [];
  private texts = new Map<string, string>();
  private sources = new Map<string, string>();
  private readonly heard = new WeakSet<HTMLButtonElement>();
  private readonly shown = el("p", { class: "small filter-result", "aria-live": "polite" });
  private readonly verdict = new Choice<Verdict | null>("Show claims by verdict", [null, ...verdicts], null, () =>
    this.choose(),
  );
  private readonly rank = new Choice<Rank | null>("Show claims by rank", [null, "primary", "secondary"], null, () =>
    this.choose(),
  );
  private readonly experiment = el("select", { "aria-label": "Show claims of one experiment" });
  private readonly source = el("select", { "aria-label": "Show claims of one source" });
  private readonly words = el("input", { type: "search", placeholder: "words", "aria-label": "Find claims" });

  constructor(private readonly table: HTMLTableElement) {
    for (const field of [this.experiment, this.source]) field.addEventListener("change", () => this.choose());
    this.words.addEventListener("input", () => this.choose());
    const fields = el("div", { class: "filter" }, this.experiment, this.source, this.words);
    this.element = el("div", { class: "filters" }, this.verdict.element, this.rank.element, fields, this.shown);
    onAddress((address) => this.follow(address));
  }

  /** The rows of this report are in the table. */
  setReport(report: Report): void {
    this.claims = report.claims;
    this.groups = [...this.table.tBodies].map(readGroup);
    for (const group of this.groups) {
      if (!group.button || this.heard.has(group.button)) continue;
      this.heard.add(group.button);
      group.button.addEventListener("click", () => this.toggle(group));
    }
    const titles = new Map(report.experiments.map(({ name, title }) => [name, title]));
    this.sources = new Map(report.experiments.map(({ name, source }) => [name, source]));
    this.texts = new Map(
      report.claims.map((claim) => {
        const { experiment, id, sentence, quote, statistic, window, reason } = claim;
        const all = [experiment, titles.get(experiment) ?? "", id, sentence, quote, statistic, window, reason];
        return [claimAnchor(claim), all.join(" ").toLowerCase()];
      }),
    );
    const named = [...new Set(report.claims.map((claim) => claim.experiment))];
    fill(
      this.experiment,
      "every experiment",
      named.map((name) => [name, titles.get(name) ?? name]),
    );
    const sources = [...new Set(named.map((name) => this.sources.get(name) ?? ""))].filter((it) => it !== "").sort();
    fill(
      this.source,
      "every source",
      sources.map((source) => [source, source]),
    );
    this.rank.element.hidden = new Set(report.claims.map((claim) => claim.rank)).size < 2;
    this.update();
  }

  private toggle(group: Group): void {
    group.button?.setAttribute("aria-expanded", String(group.button.getAttribute("aria-expanded") !== "true"));
    this.update();
  }

  private choose(): void {
    const settings = new URLSearchParams();
    const { verdict, rank, experiment, source, words } = this;
    const all = {
      verdict: verdict.value,
      rank: rank.value,
      experiment: experiment.value,
      source: source.value,
      words: words.value,
    };
    for (const [name, value] of Object.entries(all)) if (value) settings.set(name, value);
    showInAddress("claims", settings);
    this.update();
  }

  /** The address sets the filters, or names a claim, which is then shown whatever the filters are. */
  follow({ place, settings }: Address = readAddress()): void {
    if (place === "claims" && [...settings.keys()].length > 0) this.read(settings);
    else if (this.texts.has(place)) this.reveal(place);
  }

  private read(settings: URLSearchParams): void {
    this.verdict.set(settings.get("verdict") as Verdict | null);
    this.rank.set(settings.get("rank") as Rank | null);
    choose(this.experiment, settings.get("experiment"));
    choose(this.source, settings.get("source"));
    this.words.value = settings.get("words") ?? "";
    this.update();
  }

  private reveal(id: string): void {
    const row = document.getElementById(id);
    const group = this.groups.find(({ secondary }) => secondary.some((it) => it.id === id));
    group?.button?.setAttribute("aria-expanded", "true");
    this.update();
    if (row instanceof HTMLTableRowElement && row.hidden) this.read(new URLSearchParams());
    if (group || row) document.getElementById(id)?.scrollIntoView();
  }

  /** Whether a claim passes all filters but the one by verdict. */
  private fits(claim: Claim): boolean {
    const text = this.texts.get(claimAnchor(claim)) ?? "";
    const words = this.words.value.toLowerCase().split(/\s+/);
    return (
      (this.rank.value === null || claim.rank === this.rank.value) &&
      (this.experiment.value === "" || claim.experiment === this.experiment.value) &&
      (this.source.value === "" || this.sources.get(claim.experiment) === this.source.value) &&
      words.every((word) => text.includes(word))
    );
  }

  private update(): void {
    const fitting = this.claims.filter((claim) => this.fits(claim));
    const counts = countVerdicts(fitting);
    for (const [verdict, button] of this.verdict.buttons) {
      button.textContent = verdict === null ? `all ${fitting.length}` : `${counts[verdict]} ${verdict}`;
    }
    for (const [rank, button] of this.rank.buttons) {
      button.textContent = rank === null ? "both ranks" : `${ofRank(this.claims, rank).length} ${rank}`;
    }
    const matching = fitting.filter((claim) => this.verdict.value === null || claim.verdict === this.verdict.value);
    const seen = new Set(matching.map(claimAnchor));
    const experiments = new Set(matching.map((claim) => claim.experiment));
    for (const group of this.groups) this.updateGroup(group, seen, experiments);
    this.shown.textContent =
      matching.length === this.claims.length ? "" : `${count(matching.length, "claim")} of ${this.claims.length}`;
  }

  private updateGroup(
    { body, primary, secondary, foldRow, button }: Group,
    seen: Set<string>,
    experiments: Set<string>,
  ): void {
    for (const row of [...primary, ...secondary]) {
      // Below each claim's row stands that of its method.
      const claim = row.classList.contains("claim") ? row : row.previousElementSibling;
      row.hidden = !seen.has(claim?.id ?? "");
    }
    const n = claimsAmong(secondary);
    const searched = this.rank.value !== null || this.words.value.trim() !== "";
    const folded = !searched && button?.getAttribute("aria-expanded") !== "true";
    // Folded rows are not hidden: they are printed.
    for (const row of secondary) row.classList.toggle("folded", folded);
    if (foldRow) foldRow.hidden = n === 0 || searched;
    if (button) button.textContent = count(n, "secondary claim");
    body.hidden = !experiments.has(body.dataset.experiment ?? "");
  }
}

function choose(select: HTMLSelectElement, value: string | null): void {
  select.value = value ?? "";
  if (select.selectedIndex < 0) select.value = "";
}

function fill(select: HTMLSelectElement, all: string, options: [value: string, label: string][]): void {
  const kept = select.value;
  select.replaceChildren(
    el("option", { value: "" }, all),
    ...options.map(([value, label]) => el("option", { value }, label)),
  );
  choose(select, kept);
  select.hidden = options.length < 2;
}
