// Figures: each is drawn when it comes near the window, all of them before printing or when asked. A figure that
// cannot be drawn shows why in its place.
import embed, { type EmbedOptions, type Result, type VisualizationSpec } from "vega-embed";
import { anchor, el } from "./dom";
import type { Figure } from "./report";
import { currentScheme, figureConfig, inScheme, onSchemeChange, type Scheme } from "./theme";

interface Drawing {
  figure: Figure;
  plot: HTMLElement;
  scheme: Scheme | null;
  result: Result | null;
  work: Promise<void>;
}

const drawings = new Map<Element, Drawing>();

function embedOptions(figure: Figure, scheme: Scheme): EmbedOptions {
  return {
    mode: "vega-lite",
    renderer: "svg",
    config: figureConfig(scheme) as EmbedOptions["config"],
    actions: { export: { svg: true, png: true }, source: true, compiled: false, editor: false },
    downloadFileName: anchor(figure.experiment, figure.id),
    scaleFactor: { png: 2 },
    tooltip: { theme: scheme === "dark" ? "dark" : "light" },
  };
}

const twoPanels = 560; // pixels in which two panels can be read beside each other

/** The same with one entry of a legend below the other. */
function withNarrowLegends(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withNarrowLegends);
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => {
      if (name === "legend" && value !== null) return [name, { ...value, columns: 1 }];
      return [name, name === "data" ? value : withNarrowLegends(value)];
    }),
  );
}

/** A few panels stand below each other where the page is too narrow; more keep their rows, and the figure scrolls. */
function goInColumn(spec: Record<string, unknown>): boolean {
  return Array.isArray(spec.concat) && spec.concat.length <= 4;
}

async function draw(drawing: Drawing, scheme: Scheme): Promise<void> {
  drawing.scheme = scheme;
  drawing.result?.finalize();
  drawing.result = null;
  try {
    const width = drawing.plot.clientWidth; // 0: not known
    const narrow = width > 0 && width < twoPanels;
    const chart = inScheme(drawing.figure.spec, scheme);
    const column = narrow && goInColumn(chart);
    drawing.plot.classList.toggle("in-column", column);
    const spec = { ...(narrow ? (withNarrowLegends(chart) as typeof chart) : chart), ...(column && { columns: 1 }) };
    drawing.result = await embed(drawing.plot, spec as unknown as VisualizationSpec, embedOptions(drawing.figure, scheme));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    drawing.plot.replaceChildren(
      el("p", { class: "notice figure-error", role: "alert" }, `This figure cannot be drawn: ${reason}`),
    );
  }
  drawing.plot.style.removeProperty("min-height");
}

function ensureDrawn(drawing: Drawing, scheme: Scheme): Promise<void> {
  if (drawing.scheme !== scheme) drawing.work = drawing.work.then(() => draw(drawing, scheme));
  return drawing.work;
}

// Keeps the page from jumping while figures above the reader are drawn.
function expectedHeight(spec: Record<string, unknown>): number {
  return (typeof spec.height === "number" ? spec.height : 260) + 70;
}

/** What the chart's maker says could not be drawn (src/bnlab/charts/specification.h). */
function notesOf(spec: Record<string, unknown>): string[] {
  const notes = (spec.usermeta as { notes?: unknown } | undefined)?.notes;
  return Array.isArray(notes) ? notes.filter((note): note is string => typeof note === "string") : [];
}

/** `place`: where it is shown besides its own place, if it is shown twice. */
export function figureElement(figure: Figure, place = ""): HTMLElement {
  const id = anchor(...(place === "" ? [] : [place]), "fig", figure.experiment, figure.id);
  const label = figure.title || figure.caption || figure.id;
  const plot = el("div", { class: "plot", style: `min-height: ${expectedHeight(figure.spec)}px` });
  const caption = el(
    "figcaption",
    {},
    figure.title === "" ? null : el("strong", {}, `${figure.title.replace(/([^.?!])$/, "$1.")} `),
    figure.caption,
    ...notesOf(figure.spec).map((note) => el("p", { class: "figure-note" }, note)),
  );
  const element = el("figure", { id, "aria-label": label }, el("div", { class: "scroll" }, plot), caption);
  drawings.set(element, { figure, plot, scheme: null, result: null, work: Promise.resolve() });
  return element;
}

/** Unfolds and draws every figure (a folded one has no width to be drawn in); resolves when the last one is there. */
export async function drawAll(scheme: Scheme = currentScheme()): Promise<void> {
  for (const fold of document.querySelectorAll<HTMLDetailsElement>("details.closer")) fold.open = true;
  await Promise.all([...drawings.values()].map((drawing) => ensureDrawn(drawing, scheme)));
}

async function redrawDrawn(): Promise<void> {
  const drawn = [...drawings.values()].filter((drawing) => drawing.scheme !== null);
  await Promise.all(drawn.map((drawing) => ensureDrawn(drawing, currentScheme())));
}

/** Starts drawing figures as they come near the window; resolves when those that are near it now are drawn. */
export function drawWhenNear(): Promise<void> {
  onSchemeChange(() => void redrawDrawn());
  // Paper is white, whatever the screen's colours are.
  window.addEventListener("beforeprint", () => void drawAll("light"));
  window.addEventListener("afterprint", () => void redrawDrawn());
  if (drawings.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const observer = new IntersectionObserver(
      (entries) => {
        const near = entries.filter((entry) => entry.isIntersecting);
        const work = near.map(({ target }) => {
          observer.unobserve(target);
          const drawing = drawings.get(target);
          return drawing ? ensureDrawn(drawing, currentScheme()) : Promise.resolve();
        });
        void Promise.all(work).then(() => resolve());
      },
      { rootMargin: "500px 0px" },
    );
    for (const element of drawings.keys()) observer.observe(element);
  });
}
