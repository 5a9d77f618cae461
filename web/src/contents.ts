// The contents list: beside the page where there is room, folded above it where there is not.
import { el } from "./dom";
import { experimentAnchor } from "./experiment";
import type { Experiment, Report } from "./report";
import { chapterAnchor, chapters } from "./tour";
import { ofRank, verdictMarks } from "./verdict";

function experimentEntry(report: Report, experiment: Experiment): HTMLElement {
  const claims = ofRank(report.claims, "primary").filter((claim) => claim.experiment === experiment.name);
  const link = el("a", { href: `#${experimentAnchor(experiment.name)}`, title: experiment.name }, experiment.title);
  return el("li", {}, link, claims.length > 0 ? verdictMarks(claims) : null);
}

function entries(report: Report): HTMLElement[] {
  const place = (href: string, text: string) => el("li", {}, el("a", { href }, text));
  const stops = chapters(report).map(({ title, experiments }) =>
    el(
      "li",
      {},
      title === "" ? null : el("a", { class: "nav-chapter", href: `#${chapterAnchor(title)}` }, title),
      el("ul", {}, ...experiments.map((experiment) => experimentEntry(report, experiment))),
    ),
  );
  return [
    place("#top", "In short"),
    ...stops,
    el("li", { class: "nav-tables" }, "For the researcher"),
    place("#claims", "All claims"),
    place("#how-to-read", "How to read them"),
    place("#terms", "Terms"),
    place("#runs", "The runs"),
  ];
}

export class Contents {
  readonly element: HTMLElement;
  private readonly list = el("ul", { id: "contents" });
  private waiting = false;

  constructor() {
    const fold = el("details", {}, el("summary", {}, "Contents"), this.list);
    this.element = el("nav", { "aria-label": "Contents" }, fold);
    const wide = window.matchMedia("(min-width: 64rem)");
    const unfold = () => (fold.open = wide.matches);
    wide.addEventListener("change", unfold);
    unfold();
    this.list.addEventListener("click", (event) => {
      if (event.target instanceof HTMLAnchorElement && !wide.matches) fold.open = false;
    });
    window.addEventListener("scroll", () => this.soon(), { passive: true });
  }

  setReport(report: Report): void {
    this.list.replaceChildren(...entries(report));
    this.soon();
  }

  private soon(): void {
    if (!this.waiting) requestAnimationFrame(() => this.mark());
    this.waiting = true;
  }

  /** Marks the entry of the section being read: the last whose heading has come up to the upper part of the window. */
  private mark(): void {
    this.waiting = false;
    const places = [...this.list.querySelectorAll("a")].flatMap((link) => {
      const heading = document.getElementById(link.hash.slice(1));
      return heading ? [{ link, heading }] : [];
    });
    const passed = places.filter(({ heading }) => heading.getBoundingClientRect().top < 0.3 * window.innerHeight);
    const current = passed[passed.length - 1] ?? places[0];
    for (const place of places) {
      if (place === current) place.link.setAttribute("aria-current", "true");
      else place.link.removeAttribute("aria-current");
    }
  }
}
