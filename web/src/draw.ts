// Drawing a chart with vega-embed: in the page's colours, as wide as its place, with a text in place of the picture for
// those who do not see it. Expressions are interpreted, so that the page may forbid to make functions from text.
import embed, { type EmbedOptions, type Result, type VisualizationSpec } from "vega-embed";
import { expressionInterpreter } from "vega-interpreter";
import { isObject, type Spec } from "./chart_parts";
import { el } from "./dom";
import { figureConfig, inScheme, type Scheme } from "./theme";

export interface Drawn {
  plot: HTMLElement;
  /** Where the chart's own sliders stand. */
  bindings: HTMLElement;
  result: Result | null;
}

const twoPanels = 560; // pixels in which two panels can be read beside each other

/** The same with one entry of a legend below the other. */
function withNarrowLegends(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withNarrowLegends);
  if (!isObject(part)) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => {
      if (name === "legend" && value !== null) return [name, { ...(value as Spec), columns: 1 }];
      return [name, name === "data" ? value : withNarrowLegends(value)];
    }),
  );
}

/** A few panels stand below each other where the page is too narrow; more keep their rows, and the figure scrolls. */
function goInColumn(spec: Spec): boolean {
  return Array.isArray(spec.concat) && spec.concat.length <= 4;
}

function options(scheme: Scheme, bindings: HTMLElement): EmbedOptions {
  return {
    mode: "vega-lite",
    renderer: "svg",
    ast: true,
    expr: expressionInterpreter,
    bind: bindings,
    config: figureConfig(scheme) as EmbedOptions["config"],
    actions: false,
    tooltip: { theme: scheme },
  } as EmbedOptions;
}

/** One picture to a screen reader, not thousands of marks. */
function describeAs(plot: HTMLElement, description: string): void {
  const picture = plot.querySelector(".chart-wrapper") ?? plot;
  picture.removeAttribute("aria-roledescription");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", description);
  const svg = picture.querySelector("svg");
  svg?.setAttribute("aria-hidden", "true");
}

/** Draws into a new element, which the caller puts in the place of the old one: `place` gives its width. */
export async function draw(place: HTMLElement, spec: Spec, scheme: Scheme, description: string): Promise<Drawn> {
  const width = place.clientWidth; // 0: not known
  const narrow = width > 0 && width < twoPanels;
  const colored = inScheme(spec, scheme);
  const column = narrow && goInColumn(colored);
  const chart = { ...(narrow ? (withNarrowLegends(colored) as Spec) : colored), ...(column && { columns: 1 }) };
  const plot = el("div", { class: `plot next${column ? " in-column" : ""}` });
  const bindings = el("div", { class: "bindings" });
  place.append(plot);
  try {
    const result = await embed(plot, chart as unknown as VisualizationSpec, options(scheme, bindings));
    describeAs(plot, description);
    return { plot, bindings, result };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const words = `This figure cannot be drawn: ${reason}`;
    plot.replaceChildren(el("p", { class: "notice figure-error", role: "alert" }, words));
    return { plot, bindings, result: null };
  } finally {
    plot.classList.remove("next");
  }
}
