// The small drawing of one claim: its interval and effect against the threshold, with the claim's own side of it
// shaded.
import { svg } from "./dom";
import { number } from "./format";
import type { Claim } from "./report";
import { verdictClass } from "./verdict";

const width = 208;
const height = 40;
const middle = 14;
const bottom = 28;
const margin = 10;

interface Scale {
  low: number;
  high: number;
  at: (value: number) => number;
}

// The paper's value is drawn only where it does not squeeze the rest into a corner.
function scaleOf(claim: Claim): Scale {
  const values = [...claim.threshold, ...(claim.interval ?? []), ...(claim.effect === null ? [] : [claim.effect])];
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (high === low) [low, high] = [low - 1, high + 1];
  if (claim.paperValue !== null) {
    const [wideLow, wideHigh] = [Math.min(low, claim.paperValue), Math.max(high, claim.paperValue)];
    if (wideHigh - wideLow <= 2.5 * (high - low)) [low, high] = [wideLow, wideHigh];
  }
  const pad = 0.08 * (high - low);
  [low, high] = [low - pad, high + pad];
  return { low, high, at: (value) => margin + ((value - low) / (high - low)) * (width - 2 * margin) };
}

function shadedSide(claim: Claim, scale: Scale): SVGElement | null {
  const [first, second] = claim.threshold;
  if (first === undefined) return null;
  let [from, to] = [scale.at(first), width];
  if (claim.direction === "below") [from, to] = [0, scale.at(first)];
  if (claim.direction === "within") {
    const bounds = second === undefined ? [-Math.abs(first), Math.abs(first)] : [first, second];
    [from, to] = [scale.at(Math.min(...bounds)), scale.at(Math.max(...bounds))];
  }
  return svg("rect", { class: "side", x: from, y: 0, width: Math.max(0, to - from), height: bottom });
}

function tick(x: number, label: string): SVGElement {
  const room = 3 * label.length;
  const inside = Math.min(width - room, Math.max(room, x));
  return svg("text", { class: "tick", x: inside, y: height - 1, "text-anchor": "middle" }, label);
}

function thresholdMarks(claim: Claim, scale: Scale): SVGElement[] {
  const bounds = [...claim.threshold].sort((a, b) => a - b);
  const places = bounds.map(scale.at);
  const lines = places.map((x) => svg("line", { class: "threshold", x1: x, x2: x, y1: 0, y2: bottom }));
  const [left, right] = places;
  if (left === undefined || right === undefined || right - left > 70) {
    return [...lines, ...bounds.map((bound, index) => tick(places[index] ?? 0, number(bound)))];
  }
  return [...lines, tick((left + right) / 2, bounds.map((bound) => number(bound)).join(" to "))];
}

function intervalMarks(claim: Claim, scale: Scale): SVGElement[] {
  const parts: SVGElement[] = [];
  if (claim.interval) {
    const [low, high] = [scale.at(claim.interval[0]), scale.at(claim.interval[1])];
    parts.push(svg("line", { class: "interval", x1: low, x2: high, y1: middle, y2: middle }));
    for (const x of [low, high])
      parts.push(svg("line", { class: "end", x1: x, x2: x, y1: middle - 5, y2: middle + 5 }));
  }
  if (claim.effect !== null)
    parts.push(svg("circle", { class: "effect", cx: scale.at(claim.effect), cy: middle, r: 4 }));
  return parts;
}

function paperMark(claim: Claim, scale: Scale): SVGElement | null {
  if (claim.paperValue === null || claim.paperValue < scale.low || claim.paperValue > scale.high) return null;
  const x = scale.at(claim.paperValue);
  const points = `${x},${middle - 6} ${x + 6},${middle} ${x},${middle + 6} ${x - 6},${middle}`;
  return svg("polygon", { class: "paper", points }, svg("title", {}, "the paper's value"));
}

/** Null where the claim has no effect to draw. */
export function intervalDrawing(claim: Claim): SVGSVGElement | null {
  if (claim.effect === null) return null;
  const scale = scaleOf(claim);
  const span = claim.interval ? `, 95 % interval ${number(claim.interval[0])} to ${number(claim.interval[1])}` : "";
  const bounds = claim.threshold.map((bound) => number(bound)).join(" and ");
  const label = `effect ${number(claim.effect)}${span}, threshold ${bounds}`;
  return svg(
    "svg",
    {
      class: `bar ${verdictClass(claim.verdict)}`,
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": label,
    },
    shadedSide(claim, scale),
    svg("line", { class: "axis", x1: 0, x2: width, y1: bottom, y2: bottom }),
    ...thresholdMarks(claim, scale),
    paperMark(claim, scale),
    ...intervalMarks(claim, scale),
  );
}
