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

// The first colours of both palettes can be told apart with the common kinds of colour blindness.
const palettes: Record<Scheme, Palette> = {
  light: {
    paper: "#ffffff",
    text: "#33383d",
    faint: "#767d84",
    grid: "#e6e8ea",
    category: ["#2b6296", "#c96a28", "#3f8f6b", "#8a5aa0", "#b5484f", "#8a7a2a", "#4a9fb5", "#777d84"],
  },
  dark: {
    paper: "#16191c",
    text: "#d5d9dd",
    faint: "#8b939b",
    grid: "#32383e",
    category: ["#6ea8dc", "#e59a5c", "#6cc09a", "#bd92d4", "#e37f85", "#c9b95c", "#7cc8dc", "#a2a9b0"],
  },
};

const font = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif';

export function figureConfig(scheme: Scheme): Config {
  const { paper, text, faint, grid, category } = palettes[scheme];
  return {
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

const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");

export function currentScheme(): Scheme {
  return darkQuery.matches ? "dark" : "light";
}

export function onSchemeChange(listener: () => void): void {
  darkQuery.addEventListener("change", listener);
}
