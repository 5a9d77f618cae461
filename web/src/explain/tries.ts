// Changes to the table that show what batch normalization is for, each with what to look at afterwards.
import { layerOf, statisticsOf, type Layer, type Table, type Trace } from "./trace";

export interface Try {
  label: (column: string) => string;
  change: (layer: Layer, column: number) => Layer;
  training: string;
  inference: string;
}

/** Without the digits that decimal numbers leave behind in binary, as in 0.1 + 0.2. */
function tidy(value: number): number {
  return Number(value.toPrecision(15));
}

function inColumn(x: Table, column: number, change: (value: number) => number): Table {
  return x.map((row) => row.map((value, index) => (index === column ? tidy(change(value)) : value)));
}

export const tries: Try[] = [
  {
    label: (column) => `Add 100 to ${column}`,
    change: (layer, column) => ({ ...layer, x: inColumn(layer.x, column, (value) => value + 100) }),
    training: "The mean has grown by 100 as well, so centered, y and all gradients are what they were.",
    inference: "The running mean is fixed, so y has moved with x: by 100 · rstd · gamma.",
  },
  {
    label: (column) => `Multiply ${column} by 10`,
    change: (layer, column) => ({ ...layer, x: inColumn(layer.x, column, (value) => value * 10) }),
    training:
      "std has grown tenfold as well, so y is what it was (but for ε). dx has become a tenth: the larger the " +
      "numbers, the less a change of 1 matters.",
    inference: "The running statistics are fixed, so y has changed with x. dx is what it was.",
  },
  {
    label: (column) => `Make ${column} constant`,
    change: (layer, column) => {
      const mean = statisticsOf(layer.x).mean[column] ?? 0;
      return { ...layer, x: inColumn(layer.x, column, () => Math.round(mean)) };
    },
    training:
      "Nothing distinguishes the rows now: xhat is 0 and y is beta. Look at rstd: without ε it would be 1 / 0. Tiny " +
      "differences would be blown up by it, and so are the gradients.",
    inference: "Every row gets the same y; rstd is what it was, because the statistics are fixed.",
  },
  {
    label: () => "Let every dy be 1",
    change: (layer) => ({ ...layer, dy: layer.dy.map((row) => row.map(() => 1)) }),
    training:
      "dx is 0 everywhere (up to rounding): raising all of a column's y together cannot be done through x, since the " +
      "mean is taken away again. Only beta can do it: dbeta is N.",
    inference: "dx is gamma · rstd in every row: here x can raise all of y together.",
  },
];

/** The layer of `trace` changed, and what to look at. */
export function tried(it: Try, trace: Trace, column: number): { layer: Layer; words: string } {
  return { layer: it.change(layerOf(trace), column), words: trace.mode === "training" ? it.training : it.inference };
}
