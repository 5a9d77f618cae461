// A chart's data as comma-separated values: one line a row, numbers as they are stored. Of a chart with several data
// sets all of them, with the panel and the layer in front.
import { panelsOf, panelTitle, units, type Row, type Spec } from "./chart_parts";

interface Dataset {
  panel: string;
  layer: number;
  rows: Row[];
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** The data sets in the order of the chart, each once; those that only place a line or a label have no fields. */
function datasets(spec: Spec): Dataset[] {
  const panels = panelsOf(spec);
  const seen = new Set<string>();
  const layers = new Map<number, number>();
  return units(spec).flatMap(({ rows, panel }) => {
    const layer = (layers.get(panel) ?? 0) + 1;
    layers.set(panel, layer);
    const key = `${panel} ${JSON.stringify(rows)}`;
    if (seen.has(key) || !rows.some((row) => Object.keys(row).length > 0)) return [];
    seen.add(key);
    return [{ panel: panelTitle(panels[panel] ?? {}, panel), layer, rows }];
  });
}

export function csvOf(spec: Spec): string {
  const all = datasets(spec);
  const several = all.length > 1;
  const fields = [...new Set(all.flatMap(({ rows }) => rows.flatMap((row) => Object.keys(row))))];
  const head = [...(several ? ["panel", "layer"] : []), ...fields];
  const lines = all.flatMap(({ panel, layer, rows }) =>
    rows.map((row) => [...(several ? [panel, layer] : []), ...fields.map((field) => row[field])].map(cell).join(",")),
  );
  return [head.map(cell).join(","), ...lines].join("\n") + "\n";
}
