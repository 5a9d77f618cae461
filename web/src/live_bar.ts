// The bar at the window's lower edge on a live page: how far the work is, and, unfolded, the runs under way with their
// curves. It also says when the server does not answer.
import { curveChart, curveRows } from "./curve_data";
import { anchor, el } from "./dom";
import { draw, type Drawn } from "./draw";
import { count, duration, grouped, number } from "./format";
import type { LiveClient, LiveRun } from "./live_client";
import { stateText } from "./run_words";
import { currentScheme } from "./theme";

const mostEnded = 4; // runs that ended while the page was open, still shown
const ended = ["finished", "diverged", "failed"];

function pace(run: LiveRun): string {
  const parts = [
    run.step === null ? "" : `step ${grouped(run.step)}${run.steps === null ? "" : ` of ${grouped(run.steps)}`}`,
    run.rate === null ? "" : `${number(run.rate)} steps/s`,
    run.leftSeconds === null ? "" : `${duration(run.leftSeconds)} left`,
    run.loss === null ? "" : `loss ${number(run.loss)}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

/** One run: what it is, how far it is, its curve. */
class Card {
  readonly element: HTMLElement;
  private readonly words = el("p", { class: "small" });
  private readonly state = el("p", { class: "run-state" });
  private readonly bar = el("progress", { max: 1 });
  private readonly curve = el("div", { class: "curve" });
  private drawn: Drawn | null = null;
  private drawing = false;

  constructor(
    private readonly client: LiveClient,
    private run: LiveRun,
  ) {
    const title = el("a", { href: `#${anchor("run", run.id)}` }, run.title || run.id.slice(0, 10));
    this.bar.setAttribute("aria-label", `Progress of ${run.title || run.id}`);
    this.element = el("li", { "data-run": run.id }, title, this.bar, this.words, this.state, this.curve);
    this.update(run);
  }

  update(run: LiveRun): void {
    this.run = run;
    const over = ended.includes(run.state);
    this.words.textContent = pace(over ? { ...run, rate: null, leftSeconds: null } : run);
    this.state.textContent = over ? stateText(run) + (run.error === "" ? "" : `: ${run.error}`) : "";
    this.state.classList.toggle("ended-well", run.state === "finished");
    this.bar.hidden = over;
    if (run.step !== null && run.steps) this.bar.value = run.step / run.steps;
  }

  /** Draws the curve, or its new points. */
  async grow(): Promise<void> {
    if (this.drawing || this.run.kind !== "train" || this.element.closest("details:not([open])")) return;
    this.drawing = true;
    try {
      const curve = await this.client.curve(this.run.id);
      if (!curve || curve.steps.length === 0) return;
      const named = { name: this.run.title, curve };
      if (this.drawn?.result) {
        await this.drawn.result.view.data("curve", curveRows(named)).runAsync();
        return;
      }
      const spec = curveChart([named], 70);
      const data = { name: "curve", values: curveRows(named) };
      this.drawn = await draw(
        this.curve,
        { ...spec, data },
        currentScheme(),
        `Training loss of ${this.run.title} so far.`,
      );
    } finally {
      this.drawing = false;
    }
  }

  finalize(): void {
    this.drawn?.result?.finalize();
  }

  /** In the page's other colours. */
  redraw(): void {
    this.finalize();
    this.drawn = null;
    this.curve.replaceChildren();
    void this.grow();
  }
}

export class LiveBar {
  readonly element: HTMLElement;
  private readonly cards = new Map<string, Card>();
  private readonly words = el("span");
  private readonly bar = el("progress", { max: 1, "aria-label": "Progress of all runs" });
  private readonly connection = el("p", { class: "connection", role: "status" });
  private readonly list = el("ul", { class: "live-runs" });
  private readonly none = el("p", { class: "small" }, "No run is under way.");
  private readonly fold: HTMLDetailsElement;

  constructor(private readonly client: LiveClient) {
    this.fold = el("details", {}, el("summary", {}, this.words, this.bar), this.none, this.list);
    this.fold.addEventListener("toggle", () => this.fold.open && this.grow());
    this.element = el("section", { class: "live", "aria-label": "Runs under way" }, this.connection, this.fold);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const card of this.cards.values()) card.redraw();
    });
  }

  open(): void {
    this.fold.open = true;
  }

  update(): void {
    const { runs, ended: over, running, fraction, leftSeconds } = this.client.progress;
    const left = leftSeconds === null || running === 0 ? "" : `, about ${duration(leftSeconds)} left`;
    const under = running === 0 ? "none under way" : `${grouped(running)} under way`;
    this.words.textContent = `${grouped(over)} of ${count(runs, "run")} ended, ${under}${left}`;
    this.bar.value = fraction;
    const shown = this.shownRuns();
    this.none.hidden = shown.length > 0;
    for (const [id, card] of this.cards) {
      if (shown.some((run) => run.id === id)) continue;
      card.finalize();
      card.element.remove();
      this.cards.delete(id);
    }
    for (const run of shown) this.card(run);
  }

  /** Those at work, and the last ones that ended while somebody watched. */
  private shownRuns(): LiveRun[] {
    const all = [...this.client.runs.values()];
    const watched = all.filter((run) => ended.includes(run.state) && this.cards.has(run.id));
    return [...all.filter((run) => run.state === "running"), ...watched.slice(-mostEnded)];
  }

  private card(run: LiveRun): void {
    const known = this.cards.get(run.id);
    if (known) return known.update(run);
    const card = new Card(this.client, run);
    this.cards.set(run.id, card);
    this.list.append(card.element);
    this.client.follow(run.id, card.element, () => void card.grow());
    void card.grow();
  }

  private grow(): void {
    for (const card of this.cards.values()) void card.grow();
  }

  showConnection(): void {
    const { connected, saidBye, lastHeard, folder } = this.client;
    this.element.classList.toggle("gone", !connected);
    const time = lastHeard.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const why = saidBye ? `The server has ended at ${time}.` : `The server has not answered since ${time}.`;
    this.connection.textContent = connected
      ? ""
      : `${why} What is shown is as of then, and holds: nothing that is stored is lost. ` +
        `The page goes on trying; \`bnlab serve ${folder || "DIR"}\` starts the server again.`;
  }
}
