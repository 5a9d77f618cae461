// Distributions over time, drawn as ridges (src/bnlab/charts/ridges.cpp: a layer a step): one step of them at a time.
import { isObject, mapParts, markOf, units, type Spec, type Unit } from "./chart_parts";

const fewest = 4; // ridges which are worth to be stepped through
const faint = 0.08;

/** The step that a unit shows, if it is a ridge. */
function stepOf(unit: Unit): number | null {
  const { y2 } = unit.encoding;
  if (markOf(unit) !== "area" || y2?.field !== "base" || unit.spec.data === undefined) return null;
  const base = unit.rows[0]?.base;
  return typeof base === "number" && unit.rows.every((row) => row.base === base) ? base : null;
}

/** The steps of the ridges, rising; none if the chart shows no ridges. */
export function ridgeSteps(spec: Spec): number[] {
  const steps = units(spec).flatMap((unit) => stepOf(unit) ?? []);
  const distinct = [...new Set(steps)].sort((a, b) => a - b);
  return distinct.length >= fewest ? distinct : [];
}

/** The chart with the ridges of this step before the others, which fade. */
export function withStep(spec: Spec, step: number): Spec {
  const faded = new Set(units(spec).flatMap((unit) => ((stepOf(unit) ?? step) === step ? [] : [unit.spec])));
  return mapParts(spec, (part, original) => {
    if (!faded.has(original) || !isObject(part.mark)) return part;
    return { ...part, mark: { ...part.mark, fillOpacity: faint, line: false } };
  });
}
