// Figures: each is drawn when it comes near the window, all of them before printing or when asked. A figure that
// cannot be drawn shows why in its place. What a reader changes in one (figure_tools.ts) draws it anew.
import { readAddress, showInAddress } from "./address";
import { armGroups, hiddenKey } from "./arms";
import type { Spec } from "./chart_parts";
import { describe } from "./describe";
import { anchor, el } from "./dom";
import { draw, type Drawn } from "./draw";
import { FigureTools } from "./figure_tools";
import { fromSettings, shownSpec, toSettings, untouched, type FigureState } from "./figure_state";
import type { Figure } from "./report";
import { currentScheme, onSchemeChange, type Scheme } from "./theme";

// Keeps the page from jumping while figures above the reader are drawn.
function expectedHeight(spec: Spec): number {
  return (typeof spec.height === "number" ? spec.height : 260) + 70;
}

/** What the chart's maker says could not be drawn (src/bnlab/charts/specification.h). */
function notesOf(spec: Spec): string[] {
  const notes = (spec.usermeta as { notes?: unknown } | undefined)?.notes;
  return Array.isArray(notes) ? notes.filter((note): note is string => typeof note === "string") : [];
}

// What was changed in a figure stays changed when a newer report brings it anew.
const states = new Map<string, FigureState>();

export class FigureView {
  readonly element: HTMLElement;
  readonly id: string;
  state: FigureState;
  drawn: Drawn | null = null;
  private scheme: Scheme | null = null;
  private work: Promise<void> = Promise.resolve();
  private readonly place: HTMLElement;
  private readonly tools: FigureTools;

  /** `address`: what its link names, if the figure is part of something else that has one. */
  constructor(
    public figure: Figure,
    prefix: string,
    readonly address = anchor("fig", figure.experiment, figure.id),
  ) {
    this.id = anchor(...(prefix === "" ? [] : [prefix]), "fig", figure.experiment, figure.id);
    this.state = states.get(this.id) ?? untouched();
    const label = figure.title || figure.caption || figure.id;
    this.place = el("div", { class: "scroll", style: `min-height: ${expectedHeight(figure.spec)}px` });
    this.place.append(el("div", { class: "plot" }));
    const caption = el(
      "figcaption",
      {},
      figure.title === "" ? null : el("strong", {}, `${figure.title.replace(/([^.?!])$/, "$1.")} `),
      figure.caption,
      ...notesOf(figure.spec).map((note) => el("p", { class: "figure-note" }, note)),
    );
    this.tools = new FigureTools(this, label);
    this.element = el(
      "figure",
      { id: this.id, "aria-label": label },
      this.tools.sliders,
      this.place,
      caption,
      this.tools.element,
    );
  }

  get isDrawn(): boolean {
    return this.scheme !== null;
  }

  /** What is drawn now: the specification with the reader's changes. */
  get shown(): Spec {
    return shownSpec(this.figure.spec, this.state);
  }

  ensureDrawn(scheme: Scheme): Promise<void> {
    if (this.scheme === scheme) return this.work;
    return this.redraw(scheme);
  }

  /** Takes over what the reader chose, shows it in the address, and draws it. */
  change(part: Partial<FigureState>): Promise<void> {
    this.set({ ...this.state, ...part });
    showInAddress(this.address, toSettings(this.state));
    return this.redraw();
  }

  /** As `change`, but by the address. */
  follow(settings: URLSearchParams): void {
    const state = fromSettings(settings, this.figure.spec);
    if (toSettings(state).toString() === toSettings(this.state).toString()) return;
    this.set(state);
    if (this.isDrawn) void this.redraw();
  }

  /** Shows other data in the same figure. */
  setSpec(spec: Spec): void {
    this.figure = { ...this.figure, spec };
    if (this.isDrawn) void this.redraw();
  }

  finalize(): void {
    this.drawn?.result?.finalize();
    this.drawn = null;
  }

  private set(state: FigureState): void {
    this.state = state;
    states.set(this.id, state);
  }

  private redraw(scheme: Scheme = this.scheme ?? currentScheme()): Promise<void> {
    this.scheme = scheme;
    this.work = this.work.then(() => this.draw(scheme));
    return this.work;
  }

  // The old picture stands until the new one is there.
  private async draw(scheme: Scheme): Promise<void> {
    const spec = this.shown;
    const next = await draw(this.place, spec, scheme, describe(this.figure, spec));
    this.finalize();
    this.place.replaceChildren(next.plot, next.bindings);
    this.place.style.removeProperty("min-height");
    this.drawn = next;
    this.listen(next);
    this.tools.update();
  }

  private listen({ plot, result }: Drawn): void {
    for (const param of (this.figure.spec.params as Spec[] | undefined) ?? []) {
      const name = String(param.name);
      if (param.bind === undefined || !result) continue;
      result.view.addSignalListener(name, (_, value) => {
        if (typeof value !== "number") return;
        this.set({ ...this.state, sliders: { ...this.state.sliders, [name]: value } });
        showInAddress(this.address, toSettings(this.state));
      });
    }
    plot.addEventListener("click", (event) => this.pressLegend(event.target));
  }

  /** An entry of a legend hides its arm, and shows it again. */
  private pressLegend(target: EventTarget | null): void {
    if (!(target instanceof SVGElement) || !target.closest(".role-legend-label, .role-legend-symbol")) return;
    // Vega keeps with each element what it stands for.
    const { __data__: item } = target as SVGElement & { __data__?: { datum?: { value?: unknown } } };
    const name = String(item?.datum?.value ?? "");
    const group = armGroups(this.figure.spec).find(({ names }) => names.includes(name));
    if (group) this.toggle(group.field, name);
  }

  toggle(field: string, name: string): void {
    const key = hiddenKey(field, name);
    const { hidden } = this.state;
    void this.change({ hidden: hidden.includes(key) ? hidden.filter((it) => it !== key) : [...hidden, key] });
  }
}

const views = new Map<Element, FigureView>();
let observer: IntersectionObserver | null = null;

/** `place`: where it is shown besides its own place, if it is shown twice. */
export function figureView(figure: Figure, place = "", address?: string): FigureView {
  const view = new FigureView(figure, place, address);
  const { place: wanted, settings } = readAddress();
  if (wanted === view.id) view.follow(settings);
  views.set(view.element, view);
  observer?.observe(view.element);
  return view;
}

export function figureElement(figure: Figure, place = ""): HTMLElement {
  return figureView(figure, place).element;
}

/** Lets go of the figures within an element that leaves the page. */
export function forgetFigures(root: Element): void {
  for (const [element, view] of views) {
    if (!root.contains(element)) continue;
    observer?.unobserve(element);
    view.finalize();
    views.delete(element);
  }
}

/** The address asks for a figure, perhaps set in some way. */
export function followFigure(place: string, settings: URLSearchParams): void {
  for (const view of views.values()) if (view.id === place) view.follow(settings);
}

/** Unfolds and draws every figure (a folded one has no width to be drawn in); resolves when the last one is there. */
export async function drawAll(scheme: Scheme = currentScheme()): Promise<void> {
  for (const fold of document.querySelectorAll<HTMLDetailsElement>("details.closer")) fold.open = true;
  await Promise.all([...views.values()].map((view) => view.ensureDrawn(scheme)));
}

async function redrawDrawn(): Promise<void> {
  const drawn = [...views.values()].filter((view) => view.isDrawn);
  await Promise.all(drawn.map((view) => view.ensureDrawn(currentScheme())));
}

/** Starts drawing figures as they come near the window; resolves when those that are near it now are drawn. */
export function drawWhenNear(): Promise<void> {
  onSchemeChange(() => void redrawDrawn());
  // Paper is white, whatever the screen's colours are.
  window.addEventListener("beforeprint", () => void drawAll("light"));
  window.addEventListener("afterprint", () => void redrawDrawn());
  return new Promise((resolve) => {
    observer = new IntersectionObserver(
      (entries) => {
        const near = entries.filter((entry) => entry.isIntersecting);
        const work = near.map(({ target }) => {
          observer?.unobserve(target);
          return views.get(target)?.ensureDrawn(currentScheme()) ?? Promise.resolve();
        });
        void Promise.all(work).then(() => resolve());
      },
      { rootMargin: "500px 0px" },
    );
    for (const element of views.keys()) observer.observe(element);
    if (views.size === 0) resolve();
  });
}
