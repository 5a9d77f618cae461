// Logarithmic and linear axes: where a chart's axis can be switched, and the chart with another scale on it.
import { isObject, mapEncodings, markOf, units, type Spec, type Unit } from "./chart_parts";

export type Channel = "x" | "y";
export type ScaleType = "log" | "linear";

function numbers(unit: Unit, definition: Spec | undefined): number[] | null {
  if (definition === undefined) return [];
  if (typeof definition.datum === "number") return [definition.datum];
  if (typeof definition.field !== "string") return null;
  const field = definition.field;
  // A field that no row has is made by a transform, which is not followed here.
  if (!unit.rows.some((row) => field in row)) return null;
  return unit.rows.flatMap((row) => (typeof row[field] === "number" ? [row[field]] : []));
}

function scaleOf(definition: Spec): Spec {
  return isObject(definition.scale) ? definition.scale : {};
}

function fits(unit: Unit, channel: Channel, definition: Spec): boolean {
  const { bin, aggregate, stack, axis } = definition;
  if (bin || aggregate || stack) return false;
  // Ticks at chosen places belong to the scale that they were chosen for.
  if (isObject(axis) && axis.values !== undefined) return false;
  const { type, domain } = scaleOf(definition);
  if (type !== undefined && type !== "log" && type !== "linear") return false;
  if (Array.isArray(domain) && !domain.every((end) => typeof end === "number" && end > 0)) return false;
  const other = unit.encoding[`${channel}2`];
  // Bars and areas of which neither end is given start at 0, which no logarithmic axis has.
  const across = unit.encoding[channel === "x" ? "y2" : "x2"];
  if (!other && !across && ["bar", "area"].includes(markOf(unit))) return false;
  const values = [numbers(unit, definition), numbers(unit, other)];
  return values.every((list) => list !== null && list.every((value) => value > 0));
}

/** How the axis is drawn, "mixed" if it differs among panels; null if it cannot be switched. */
export function axisScale(spec: Spec, channel: Channel): ScaleType | "mixed" | null {
  const found = new Set<ScaleType>();
  for (const unit of units(spec)) {
    const definition = unit.encoding[channel];
    if (definition === undefined || definition.type !== "quantitative") continue;
    if (!fits(unit, channel, definition)) return null;
    found.add(scaleOf(definition).type === "log" ? "log" : "linear");
  }
  if (found.size > 1) return "mixed";
  return [...found][0] ?? null;
}

export function withScale(spec: Spec, channel: Channel, type: ScaleType): Spec {
  return mapEncodings(spec, (name, definition) => {
    if (name !== channel || definition.type !== "quantitative") return definition;
    const { zero, ...scale } = scaleOf(definition);
    if (type === "log") return { ...definition, scale: { ...scale, type } };
    return { ...definition, scale: { ...scale, type, zero: scale.type === "log" ? false : (zero ?? false) } };
  });
}
