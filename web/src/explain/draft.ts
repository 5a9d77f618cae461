// What a person has typed: the texts of all fields, and the layer they stand for.
import type { Layer } from "./trace";

export type Part = "x" | "dy" | "gamma" | "beta" | "running_mean" | "running_var" | "eps";

/** A field. Parts with one number a column have one row; eps has one field. */
export interface Place {
  part: Part;
  row: number;
  column: number;
}

export interface Draft {
  columns: string[];
  inference: boolean;
  texts: Record<Part, string[][]>;
}

/** What is wrong with a field, or with the layer as a whole: then without a place. */
export interface Problem {
  place: Place | null;
  sentence: string;
}

export function draftOf(layer: Layer): Draft {
  const texts = (rows: number[][]) => rows.map((row) => row.map(String));
  return {
    columns: layer.columns,
    inference: layer.running !== null,
    texts: {
      x: texts(layer.x),
      dy: texts(layer.dy),
      gamma: texts([layer.gamma]),
      beta: texts([layer.beta]),
      running_mean: texts([layer.running?.mean ?? []]),
      running_var: texts([layer.running?.var ?? []]),
      eps: texts([[layer.eps]]),
    },
  };
}

/** How a field is called in a sentence. */
export function fieldName(draft: Draft, { part, row, column }: Place): string {
  const name = `"${draft.columns[column] ?? ""}"`;
  if (part === "eps") return "eps";
  return part === "x" || part === "dy" ? `${part}, row ${row + 1}, column ${name}` : `${part} of column ${name}`;
}

/** The number that a text stands for, or what is wrong with it, as the end of a sentence. */
function readNumber(text: string, atLeastZero: boolean): number | string {
  const written = text.trim().replace("\u2212", "-");
  if (written === "") return "the field is empty; write a number";
  if (/^[+-]?\d+,\d+$/.test(written)) return `"${written}" is no number; write decimals with a point`;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written)) return `"${written}" is no number`;
  const value = Number(written);
  if (!Number.isFinite(value)) return `"${written}" is beyond the range of a double`;
  return atLeastZero && value < 0 ? `it must be at least 0, not ${written}` : value;
}

/** The layer, or everything that keeps the fields from being one. */
export function readDraft(draft: Draft): Layer | Problem[] {
  const problems: Problem[] = [];
  const read = (part: Part) =>
    draft.texts[part].map((texts, row) =>
      texts.map((text, column) => {
        const value = readNumber(text, part === "eps" || part === "running_var");
        if (typeof value === "number") return value;
        const place = { part, row, column };
        problems.push({ place, sentence: `${fieldName(draft, place)}: ${value}.` });
        return 0;
      }),
    );
  const x = read("x");
  const [gamma = []] = read("gamma");
  const [beta = []] = read("beta");
  const [mean = []] = draft.inference ? read("running_mean") : [];
  const [variance = []] = draft.inference ? read("running_var") : [];
  const dy = read("dy");
  const eps = read("eps")[0]?.[0] ?? 0;
  if (problems.length > 0) return problems;
  const running = draft.inference ? { mean, var: variance } : null;
  return { columns: draft.columns, x, gamma, beta, eps, dy, running };
}
