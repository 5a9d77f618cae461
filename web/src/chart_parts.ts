// What a Vega-Lite specification is made of, as far as the page's tools need it: its units (each with its mark, its
// data and its encodings, those of the charts around it included) and its panels. Nothing here draws.

export type Spec = Record<string, unknown>;
export type Row = Record<string, unknown>;

export interface Unit {
  spec: Spec;
  rows: Row[];
  encoding: Record<string, Spec>;
  /** Number of the panel that it stands in. */
  panel: number;
}

export function isObject(value: unknown): value is Spec {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objects(value: unknown): Spec[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

const rowsOfPanels = ["concat", "hconcat", "vconcat"] as const;

/** The charts that stand beside each other; one if it is a single chart. */
export function panelsOf(spec: Spec): Spec[] {
  const several = rowsOfPanels.flatMap((name) => objects(spec[name]));
  return several.length > 0 ? several : [spec];
}

export function panelTitle(panel: Spec, index: number): string {
  const title = isObject(panel.title) ? panel.title.text : panel.title;
  return typeof title === "string" && title !== "" ? title : `panel ${index + 1}`;
}

function ownRows(spec: Spec, datasets: Spec): Row[] | null {
  if (!isObject(spec.data)) return null;
  const { values, name } = spec.data;
  if (Array.isArray(values)) return objects(values);
  return typeof name === "string" ? objects(datasets[name]) : [];
}

/** Every unit of the specification, in the order in which it is drawn. */
export function units(spec: Spec): Unit[] {
  const datasets = isObject(spec.datasets) ? spec.datasets : {};
  const found: Unit[] = [];
  const visit = (part: Spec, rows: Row[], around: Record<string, Spec>, panel: number) => {
    const own = ownRows(part, datasets) ?? rows;
    const encoding = { ...around, ...(part.encoding as Record<string, Spec> | undefined) };
    if (part.mark !== undefined) found.push({ spec: part, rows: own, encoding, panel });
    for (const layer of objects(part.layer)) visit(layer, own, encoding, panel);
    if (isObject(part.spec)) visit(part.spec, own, encoding, panel);
    rowsOfPanels.flatMap((name) => objects(part[name])).forEach((one, index) => visit(one, own, encoding, index));
  };
  visit(spec, [], {}, 0);
  return found;
}

type MapEncoding = (channel: string, definition: Spec) => Spec;

/** A copy with every encoding replaced by what `map` makes of it. */
export function mapEncodings(spec: Spec, map: MapEncoding): Spec {
  return mapParts(spec, (part) => {
    if (!isObject(part.encoding)) return part;
    const encoding = Object.entries(part.encoding).map(([channel, definition]) => [
      channel,
      isObject(definition) ? map(channel, definition) : definition,
    ]);
    return { ...part, encoding: Object.fromEntries(encoding) as Spec };
  });
}

/** A copy with `map` applied to the chart and to every chart within it, inner ones first; it also gets the original. */
export function mapParts(spec: Spec, map: (part: Spec, original: Spec) => Spec): Spec {
  const inner: Spec = { ...spec };
  for (const name of ["layer", ...rowsOfPanels]) {
    const parts = spec[name];
    if (Array.isArray(parts)) inner[name] = parts.map((part) => (isObject(part) ? mapParts(part, map) : part));
  }
  if (isObject(spec.spec)) inner.spec = mapParts(spec.spec, map);
  return map(inner, spec);
}

const leastHeight = 340;

/** One of the panels, drawn as wide as the page. */
export function onePanel(spec: Spec, index: number): Spec {
  const panel = panelsOf(spec)[index];
  if (panel === undefined || panel === spec) return spec;
  const around = Object.entries(spec).filter(
    ([name]) =>
      !(rowsOfPanels as readonly string[]).includes(name) && !["columns", "resolve", "spacing"].includes(name),
  );
  const height = typeof panel.height === "number" ? Math.max(leastHeight, panel.height) : leastHeight;
  return { ...Object.fromEntries(around), ...panel, width: "container", height };
}

export function markOf(unit: Unit): string {
  const { mark } = unit.spec;
  return typeof mark === "string" ? mark : isObject(mark) && typeof mark.type === "string" ? mark.type : "";
}
