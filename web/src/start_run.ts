// Starting a changed run on the server: first its cost, then its start, then its curve beside the base run's.
import { comparison } from "./compare";
import { el } from "./dom";
import { forgetFigures } from "./figure";
import { count, duration } from "./format";
import type { Run } from "./report";
import type { Change, Plan, Source } from "./source";

function planWords(plan: Plan): string {
  const known = plan.exists ? " It is stored already." : "";
  const cost = plan.costSeconds === null ? "an unknown time" : `about ${duration(plan.costSeconds)} of computing time`;
  return `${plan.title}: ${cost}.${known}`;
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class Starting {
  readonly element: HTMLElement;
  private readonly ask = el("button", { type: "button" }, "what would it cost?");
  private readonly go = el("button", { type: "button", hidden: true }, "start it");
  private readonly stop = el("button", { type: "button", hidden: true }, "stop it");
  private readonly said = el("p", { class: "small", role: "status" });
  private readonly beside = el("div");
  private started = "";

  constructor(
    private readonly source: Source,
    private readonly base: Run,
    form: HTMLFormElement,
    private readonly change: () => Change,
  ) {
    this.element = el(
      "div",
      { class: "starting" },
      el("div", { class: "controls" }, this.ask, this.go, this.stop),
      this.said,
      this.beside,
    );
    this.ask.addEventListener("click", () => void this.plan());
    this.go.addEventListener("click", () => void this.start());
    this.stop.addEventListener("click", () => void this.end());
    // What was planned is no longer what would be started.
    form.addEventListener("input", () => {
      this.go.hidden = true;
      this.said.textContent = "";
    });
  }

  private async plan(): Promise<void> {
    const change = this.change();
    if (Object.keys(change.changes).length === 0) {
      this.said.textContent = "This is the run as it is: change something first.";
      return;
    }
    try {
      const plan = await this.source.starter!.plan(change);
      this.said.textContent = planWords(plan);
      this.go.textContent = plan.exists ? "show it beside the other" : "start it";
      this.go.hidden = false;
      this.started = plan.exists ? plan.id : "";
    } catch (error) {
      this.said.textContent = `It cannot be run: ${sentenceOf(error)}`;
      this.go.hidden = true;
    }
  }

  private async start(): Promise<void> {
    this.go.hidden = true;
    try {
      const exists = this.started !== "";
      if (!exists) this.started = await this.source.starter!.start(this.change());
      this.said.textContent = exists ? "" : `Started as ${this.started.slice(0, 10)}; its curve grows below.`;
      this.stop.hidden = exists;
      await this.compare();
    } catch (error) {
      this.said.textContent = `It was not started: ${sentenceOf(error)}`;
    }
  }

  private async end(): Promise<void> {
    try {
      await this.source.starter!.stop(this.started);
      this.said.textContent = "It is asked to stop, and keeps what it has.";
      this.stop.hidden = true;
    } catch (error) {
      this.said.textContent = sentenceOf(error);
    }
  }

  private async compare(): Promise<void> {
    const shown = await comparison(this.source, this.base.id, this.started);
    forgetFigures(this.beside);
    if (shown) this.beside.replaceChildren(shown);
    this.source.follow(this.started, this.element, () => void this.afterEnd());
  }

  /** When it has ended, its results are there to be compared. */
  private async afterEnd(): Promise<void> {
    const run = await this.source.run(this.started);
    if (!run || this.stop.hidden || !["finished", "diverged", "failed"].includes(run.state)) return;
    this.stop.hidden = true;
    const steps = run.divergedAt ?? run.steps;
    this.said.textContent = `It has ended: ${run.state}${steps === null ? "" : ` after ${count(steps, "step")}`}.`;
    const shown = await comparison(this.source, this.base.id, this.started);
    forgetFigures(this.beside);
    if (shown) this.beside.replaceChildren(shown);
  }
}

export function starter(source: Source, base: Run, form: HTMLFormElement, change: () => Change): HTMLElement {
  return new Starting(source, base, form, change).element;
}
