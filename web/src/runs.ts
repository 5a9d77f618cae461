// The section of the runs: their list, and two of them side by side.
import { onAddress, readAddress, showInAddress, type Address } from "./address";
import { comparison } from "./compare";
import { el } from "./dom";
import { forgetFigures } from "./figure";
import type { Run } from "./report";
import { RunList } from "./run_list";
import type { Source } from "./source";

export class RunsSection {
  readonly element: HTMLElement;
  private readonly none = el("p", {}, "This report holds no run.");
  private readonly list: RunList;
  private wanted = "";
  private readonly beside = el("section", { class: "compare", "aria-label": "Two runs side by side", hidden: true });

  constructor(private readonly source: Source) {
    this.list = new RunList(source, (first, second) => void this.compare(first, second));
    this.element = el(
      "section",
      { "aria-labelledby": "runs" },
      el("h2", { id: "runs" }, "The runs"),
      el(
        "p",
        {},
        "Every training or analysis behind this report. A run that several experiments use is computed once.",
      ),
      this.none,
      this.beside,
      this.list.element,
    );
    onAddress((address) => this.follow(address));
  }

  setRuns(runs: Run[]): void {
    this.none.hidden = runs.length > 0;
    this.list.element.hidden = runs.length === 0;
    this.list.setRuns(runs);
    this.reveal(this.wanted);
  }

  /** A run that the address names before the server has told of it is shown when it has. */
  private reveal(place: string): void {
    this.wanted = place === "" || this.list.reveal(place) ? "" : place;
  }

  /** Shows what the address names, if it is of this section. */
  follow({ place, settings }: Address = readAddress()): void {
    const pair = /^compare-([0-9A-Za-z_.]+)-([0-9A-Za-z_.]+)$/.exec(place);
    if (pair) void this.compare(pair[1]!, pair[2]!);
    else if (place === "runs") this.list.follow(settings);
    else if (place.startsWith("run-")) this.reveal(place);
  }

  private async compare(first: string, second: string): Promise<void> {
    const place = `compare-${first}-${second}`;
    const shown = await comparison(this.source, first, second);
    const close = el("button", { type: "button" }, "close");
    close.addEventListener("click", () => this.close());
    forgetFigures(this.beside);
    this.beside.replaceChildren(
      el("div", { class: "head" }, el("h3", { id: place, tabindex: -1 }, "Two runs side by side"), close),
      shown ?? el("p", { class: "notice", role: "note" }, "This report does not hold both of these runs."),
    );
    this.beside.hidden = false;
    showInAddress(place, new URLSearchParams());
    this.beside.querySelector("h3")?.focus({ preventScroll: true });
    this.beside.scrollIntoView();
  }

  private close(): void {
    forgetFigures(this.beside);
    this.beside.replaceChildren();
    this.beside.hidden = true;
    showInAddress("runs", new URLSearchParams());
  }
}
