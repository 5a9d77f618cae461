// The course of one number over a run, thinned (a CURVE of docs/serve.md), and the chart of one or more of them.
import type { Row, Spec } from "./chart_parts";
import { fields, list, real } from "./read";

export interface Curve {
  steps: number[];
  /** null: not finite */
  values: (number | null)[];
  /** Successive recorded points of which each point here is the mean. */
  each: number;
}

export function readCurve(value: unknown): Curve | null {
  const from = fields(value);
  if (!Array.isArray(from.steps) || !Array.isArray(from.values)) return null;
  const steps = list(from.steps, (step) => real(step) ?? 0);
  const values = list(from.values, real);
  return { steps: steps.slice(0, values.length), values: values.slice(0, steps.length), each: real(from.each) ?? 1 };
}

/** The curve with later points at its end; those that it has already are left out. */
export function extended(curve: Curve, steps: number[], values: (number | null)[]): Curve {
  const last = curve.steps[curve.steps.length - 1] ?? -1;
  const later = steps.flatMap((step, i) => (step > last ? [i] : []));
  return {
    ...curve,
    steps: [...curve.steps, ...later.map((i) => steps[i]!)],
    values: [...curve.values, ...later.map((i) => values[i] ?? null)],
  };
}

export interface NamedCurve {
  name: string;
  curve: Curve;
}

export function curveRows({ name, curve }: NamedCurve): Row[] {
  return curve.steps.flatMap((step, i) =>
    curve.values[i] === null ? [] : [{ step, loss: curve.values[i], run: name }],
  );
}

/** Training loss over the steps, a line a run. */
export function curveChart(curves: NamedCurve[], height = 220): Spec {
  const names = curves.map(({ name }) => name);
  const legend =
    names.length > 1 ? { orient: "bottom", columns: 1, labelLimit: 420, title: null, symbolType: "stroke" } : null;
  const axis = (title: string, field: string) => ({ field, type: "quantitative", title, scale: { zero: false } });
  return {
    width: "container",
    height,
    data: { values: curves.flatMap(curveRows) },
    mark: { type: "line", point: curves.every(({ curve }) => curve.steps.length < 3) },
    encoding: {
      x: axis("training step", "step"),
      y: axis("training loss", "loss"),
      color: { field: "run", type: "nominal", scale: { domain: names }, legend },
      tooltip: [
        { field: "run", title: "run" },
        { field: "step", title: "step" },
        { field: "loss", title: "loss", type: "quantitative", format: ".4g" },
      ],
    },
  };
}
