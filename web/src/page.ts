// The whole page: built once, then brought up to date part by part.
import { bringIntoView, onAddress, readAddress, type Address } from "./address";
import { ClaimsSection } from "./claims";
import { Contents } from "./contents";
import { el } from "./dom";
import { figureElement, followFigure, forgetFigures } from "./figure";
import { coverFigure, headerParts, howToRead } from "./header";
import { keepingPlace, same } from "./keep_place";
import { schemaVersions, type Figure, type Report, type Run } from "./report";
import { RunsSection } from "./runs";
import type { Source } from "./source";
import { termsSection } from "./terms";
import { Tour } from "./tour";

export function notice(text: string): HTMLElement {
  return el("p", { class: "notice", role: "alert" }, text);
}

export class Page {
  private readonly main = el("main");
  private readonly strange = el("div");
  private readonly header = el("header", { id: "top" });
  private readonly contents = new Contents();
  private readonly tour: Tour;
  private readonly claims = new ClaimsSection();
  private readonly runs: RunsSection;
  private cover: { of: Figure; element: HTMLElement } | null = null;
  private shown = false;

  constructor(root: HTMLElement, source: Source) {
    this.tour = new Tour(source);
    this.runs = new RunsSection(source);
    root.append(this.contents.element, this.main);
    this.contents.element.hidden = true;
    onAddress((address) => this.follow(address));
  }

  /** Shows a report, or the newer state of one; what has not changed stays as it is. */
  show(report: Report): void {
    keepingPlace(() => {
      const known = report.schemaVersion !== null && schemaVersions.includes(report.schemaVersion);
      const words =
        `This page reads reports of versions ${schemaVersions.join(" and ")}; this one is of version ` +
        `${report.schemaVersion ?? "unknown"}, so parts of it may be missing.`;
      this.strange.replaceChildren(...(known ? [] : [notice(words)]));
      document.title = `bnlab report: ${report.data}, ${report.scale} scale`;
      this.header.replaceChildren(...headerParts(report, this.coverOf(report)).flatMap((part) => (part ? [part] : [])));
      this.tour.setReport(report);
      this.claims.setReport(report);
      this.contents.setReport(report);
      this.contents.element.hidden = false;
      if (!this.shown) this.build();
      this.shown = true;
    });
  }

  /** While there is no report. */
  wait(): void {
    const words =
      "There is no report yet: it comes with the first seed that is complete. Until then, these are the runs.";
    this.header.replaceChildren(
      el("h1", {}, "What batch normalization does"),
      el("p", { class: "notice", role: "note" }, words),
    );
    if (this.runs.element.isConnected) return;
    this.main.replaceChildren(this.header, this.runs.element);
    this.runs.follow();
  }

  setRuns(runs: Run[]): void {
    this.runs.setRuns(runs);
  }

  /** The place that the address names; the browser looked for it before the page had one. */
  follow(address: Address = readAddress()): void {
    const { place, settings } = address;
    if (place === "") return;
    followFigure(place, settings);
    const element = document.getElementById(place);
    if (element) bringIntoView(element);
  }

  /** For the first time, after the report was put in. */
  followFirst(): void {
    this.follow();
    this.claims.filter.follow();
    this.runs.follow();
  }

  private build(): void {
    const parts = [this.strange, this.header, this.tour.element, this.claims.element, howToRead(), termsSection()];
    this.main.replaceChildren(...parts, this.runs.element);
  }

  private coverOf(report: Report): HTMLElement | null {
    const figure = coverFigure(report);
    if (this.cover && same(this.cover.of, figure)) return this.cover.element;
    if (this.cover) forgetFigures(this.cover.element);
    this.cover = figure ? { of: figure, element: figureElement(figure, "cover") } : null;
    return this.cover?.element ?? null;
  }
}
