// How figures look: the page's type and restrained colours, for a light and a dark page. A specification's own
// settings win.
import type { Config } from "vega-lite";

export type Scheme = "light" | "dark";

interface Palette {
  paper: string;
  text: string;
  faint: string;
  grid: string;
  category: string[];
}

// Paper and the first six categories are those of src/bnlab/charts/style.h, which says why.
const palettes: Record<Scheme, Palette> = {
  light: {
    paper: "#ffffff",
    text: "#33383d",
    faint: "#767d84",
    grid: "#e6e8ea",
    category: ["#2b4577", "#cb3907", "#1c7a5a", "#ca9601", "#895ab9", "#00a9f8", "#8a8f94"],
  },
  dark: {
    paper: "#16191c",
    text: "#d5d9dd",
    faint: "#8b939b",
    grid: "#32383e",
    category: ["#3f85fb", "#e35f3a", "#4cd991", "#f5af24", "#bf56b9", "#9de5ff", "#9aa1a8"],
  },
};

const font = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif';

export function figureConfig(scheme: Scheme): Config {
  const { paper, text, faint, grid, category } = palettes[scheme];
  return {
    // The picture as a whole has words (describe.ts); thousands of marks with words of their own would be noise.
    aria: false,
    background: paper,
    font,
    view: { stroke: "transparent" },
    axis: {
      labelColor: text,
      titleColor: text,
      domainColor: faint,
      tickColor: faint,
      gridColor: grid,
      titleFontWeight: "normal",
      labelFontSize: 11,
      titleFontSize: 12,
      titlePadding: 8,
      tickSize: 4,
      labelSeparation: 6,
    },
    legend: {
      labelColor: text,
      titleColor: text,
      titleFontWeight: "normal",
      labelFontSize: 11,
      titleFontSize: 12,
      symbolStrokeWidth: 2,
      symbolOpacity: 1,
    },
    header: { labelColor: text, titleColor: text, titleFontWeight: "normal", labelFontSize: 12 },
    title: { color: text, subtitleColor: faint, fontWeight: 600, fontSize: 13, anchor: "start" },
    text: { color: text },
    rule: { color: faint },
    line: { strokeWidth: 1.75 },
    mark: { color: category[0] ?? text },
    range: { category, ramp: { scheme: "viridis" }, heatmap: { scheme: "viridis" } },
  } as Config;
}

function recolored(part: unknown, colors: Record<string, string>): unknown {
  if (typeof part === "string") return colors[part] ?? part;
  if (Array.isArray(part)) return part.map((item) => recolored(item, colors));
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, name === "data" ? value : recolored(value, colors)]),
  );
}

/** The specification in the colours of a scheme; it says itself which they are on a dark page ("usermeta.dark"). */
export function inScheme(spec: Record<string, unknown>, scheme: Scheme): Record<string, unknown> {
  const { usermeta, ...chart } = spec;
  const dark = (usermeta as { dark?: Record<string, string> } | undefined)?.dark;
  return scheme === "dark" && dark ? (recolored(chart, dark) as Record<string, unknown>) : chart;
}

const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");

export function currentScheme(): Scheme {
  return darkQuery.matches ? "dark" : "light";
}

export function onSchemeChange(listener: () => void): void {
  darkQuery.addEventListener("change", listener);
}
