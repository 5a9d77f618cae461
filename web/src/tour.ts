// The tour: the experiments as stops, in chapters, in the order of the report. With a newer report only those stops
// are made anew that have changed.
import { anchor, el } from "./dom";
import { experimentSection } from "./experiment";
import { figureElement, forgetFigures } from "./figure";
import { keepFolds, same } from "./keep_place";
import type { Experiment, Report } from "./report";
import type { Source } from "./source";
import { whatIf } from "./what_if";

export interface Chapter {
  title: string;
  experiments: Experiment[];
}

export function chapterAnchor(title: string): string {
  return anchor("chapter", title);
}

export function chapters(report: Report): Chapter[] {
  const byTitle = new Map<string, Experiment[]>();
  for (const experiment of report.experiments) {
    byTitle.set(experiment.chapter, [...(byTitle.get(experiment.chapter) ?? []), experiment]);
  }
  return [...byTitle].map(([title, experiments]) => ({ title, experiments }));
}

interface Made {
  of: unknown;
  element: HTMLElement;
}

export class Tour {
  readonly element = el("div", { class: "tour" });
  private readonly articles = new Map<string, Made>();
  private readonly sections = new Map<string, HTMLElement>();
  // Forms keep what was typed in them.
  private readonly forms = new Map<string, HTMLElement>();

  constructor(private readonly source: Source) {}

  setReport(report: Report): void {
    const named = new Set(report.experiments.map((experiment) => experiment.name));
    const parts = chapters(report).map((chapter) => this.chapter(report, chapter));
    // Figures of no experiment that the report names.
    const others = report.figures.filter((figure) => !named.has(figure.experiment));
    const rest = this.made("figures of no experiment", others, () =>
      el("div", {}, ...others.map((it) => figureElement(it))),
    );
    arrange(this.element, others.length > 0 ? [...parts, rest] : parts);
  }

  private chapter(report: Report, { title, experiments }: Chapter): HTMLElement {
    const id = chapterAnchor(title);
    const section =
      this.sections.get(title) ??
      el(
        "section",
        { class: "chapter", "aria-labelledby": id },
        el("h2", { id }, title === "" ? "The experiments" : title),
      );
    this.sections.set(title, section);
    const articles = experiments.map((experiment) => this.article(report, experiment));
    arrange(section, [section.firstElementChild!, ...articles]);
    return section;
  }

  private article(report: Report, experiment: Experiment): HTMLElement {
    const figures = report.figures.filter((figure) => figure.experiment === experiment.name);
    const claims = report.claims.filter((claim) => claim.experiment === experiment.name);
    return this.made(`experiment ${experiment.name}`, [experiment, figures, claims], () =>
      experimentSection(report, experiment, figures, () => this.form(report, experiment)),
    );
  }

  private form(report: Report, experiment: Experiment): HTMLElement {
    const form = this.forms.get(experiment.name) ?? whatIf(report, this.source, experiment);
    this.forms.set(experiment.name, form);
    return form;
  }

  /** The element that was made of the same data, or a new one in its place. */
  private made(name: string, data: unknown, make: () => HTMLElement): HTMLElement {
    const known = this.articles.get(name);
    if (known && same(known.of, data)) return known.element;
    const element = make();
    this.articles.set(name, { of: data, element });
    if (known) {
      keepFolds(known.element, element);
      known.element.replaceWith(element);
      forgetFigures(known.element);
    }
    return element;
  }
}

/** Gives an element these children, without touching those that are in their place. */
function arrange(parent: Element, children: Element[]): void {
  const now = [...parent.children];
  if (now.length === children.length && children.every((child, i) => now[i] === child)) return;
  parent.replaceChildren(...children);
}
