// The tour: the experiments as stops, in chapters, in the order of the report.
import { anchor, el } from "./dom";
import { experimentSection } from "./experiment";
import { figureElement } from "./figure";
import type { Experiment, Report } from "./report";

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

function chapterSection(report: Report, { title, experiments }: Chapter): HTMLElement {
  const id = chapterAnchor(title);
  return el(
    "section",
    { class: "chapter", "aria-labelledby": id },
    el("h2", { id }, title === "" ? "The experiments" : title),
    ...experiments.map((experiment) =>
      experimentSection(
        report,
        experiment,
        report.figures.filter((figure) => figure.experiment === experiment.name),
      ),
    ),
  );
}

export function tour(report: Report): HTMLElement[] {
  const named = new Set(report.experiments.map((experiment) => experiment.name));
  const others = report.figures.filter((figure) => !named.has(figure.experiment));
  return [...chapters(report).map((chapter) => chapterSection(report, chapter)), ...others.map((figure) => figureElement(figure))];
}
