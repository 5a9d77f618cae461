// Batch normalization of a small table, step by step, in double precision: what src/bnlab/explain/trace.cpp computes,
// by the same operations in the same order, so that the numbers agree. Pure functions of plain data.

/** What there is one of a column. */
export type Row = number[];
/** Rows of a table, of which each has a number a column. */
export type Table = number[][];

export interface Running {
  mean: Row;
  var: Row;
}

export interface Layer {
  columns: string[];
  x: Table;
  gamma: Row;
  beta: Row;
  eps: number;
  /** the gradient that arrives, of x's shape */
  dy: Table;
  /** what training left: then this is inference */
  running: Running | null;
}

export interface TraceNode {
  name: string;
  meaning: string;
  formula: string;
  gradient_formula: string;
  inputs: string[];
  value: Row | Table;
  /** null where nothing flows back */
  gradient: Row | Table | null;
}

/** What `bnlab explain --json` prints. */
export interface Trace {
  mode: "training" | "inference";
  columns: string[];
  rows: number;
  eps: number;
  gamma: Row;
  beta: Row;
  dy: Table;
  running_mean: Row | null;
  running_var: Row | null;
  nodes: TraceNode[];
  closed_form: { formula: string; dx: Table; dgamma: Row; dbeta: Row };
  difference: number;
  notes: string[];
}

/** Why a layer cannot be computed; one sentence. */
export class TraceError extends Error {}

/** `[name, meaning, formula, gradient formula, inputs]` */
type NodeText = readonly [string, string, string, string, string[]];

const noGradient = "none: a constant";

const trainingTexts: NodeText[] = [
  ["x", "the table", "given", "dx = dcentered + dmean / N", []],
  ["mean", "mean of each column", "mean = Σ x / N", "dmean = −Σ dcentered", ["x"]],
  [
    "centered",
    "distance from the mean",
    "centered = x − mean",
    "dcentered = dxhat · rstd + 2 · centered · dsquared",
    ["x", "mean"],
  ],
  ["squared", "its square", "squared = centered²", "dsquared = dvar_biased / N", ["centered"]],
  [
    "var_biased",
    "variance of each column, divided by N",
    "var_biased = Σ squared / N",
    "dvar_biased = dstd / (2 · std)",
    ["squared"],
  ],
  ["std", "standard deviation, kept from 0 by ε", "std = √(var_biased + ε)", "dstd = −drstd / std²", ["var_biased"]],
  ["rstd", "its reciprocal", "rstd = 1 / std", "drstd = Σ dxhat · centered", ["std"]],
];

const inferenceTexts: NodeText[] = [
  ["x", "the table", "given", "dx = dcentered", []],
  ["running_mean", "mean that training left", "given", noGradient, []],
  [
    "centered",
    "distance from that mean",
    "centered = x − running_mean",
    "dcentered = dxhat · rstd",
    ["x", "running_mean"],
  ],
  ["running_var", "variance that training left", "given", noGradient, []],
  ["std", "standard deviation, kept from 0 by ε", "std = √(running_var + ε)", noGradient, ["running_var"]],
  ["rstd", "its reciprocal", "rstd = 1 / std", noGradient, ["std"]],
];

function commonTexts(training: boolean): NodeText[] {
  const xhat = training ? "standardized: mean 0, variance 1" : "standardized by what training left";
  return [
    ["xhat", xhat, "xhat = centered · rstd", "dxhat = dscaled · gamma", ["centered", "rstd"]],
    ["gamma", "learned scale", "given", "dgamma = Σ dscaled · xhat", []],
    ["scaled", "scaled", "scaled = gamma · xhat", "dscaled = dy", ["gamma", "xhat"]],
    ["beta", "learned shift", "given", "dbeta = Σ dy", []],
    ["y", "what the next layer gets", "y = scaled + beta", "given", ["scaled", "beta"]],
  ];
}

/** The element at a place that is known to be there. */
function of(values: Row, index: number): number {
  return values[index] as number;
}

function cell(table: Table, row: number, column: number): number {
  return of(table[row] as Row, column);
}

function expect(holds: boolean, sentence: string): void {
  if (!holds) throw new TraceError(sentence);
}

/** Functions that fill what has this layer's shape. */
function shapesOf(layer: Layer) {
  const each = (f: (row: number, column: number) => number): Table =>
    layer.x.map((cells, row) => cells.map((_, column) => f(row, column)));
  const column = (f: (column: number) => number): Row => layer.columns.map((_, index) => f(index));
  const sum = (f: (row: number, column: number) => number): Row =>
    column((index) => layer.x.reduce((sofar, _, row) => sofar + f(row, index), 0));
  return { each, column, sum };
}

function forward(layer: Layer) {
  const { x, gamma, beta, eps, running } = layer;
  const { each, column, sum } = shapesOf(layer);
  const n = x.length;
  const mean = running ? running.mean : sum((i, c) => cell(x, i, c) / n);
  const centered = each((i, c) => cell(x, i, c) - of(mean, c));
  const squared = each((i, c) => cell(centered, i, c) * cell(centered, i, c));
  const variance = running ? running.var : sum((i, c) => cell(squared, i, c) / n);
  const std = column((c) => Math.sqrt(of(variance, c) + eps));
  for (const [c, name] of layer.columns.entries()) {
    expect(
      of(std, c) !== 0,
      `column "${name}" has variance 0 and eps is 0, so that its standard deviation, by which it is divided, is 0; ` +
        "choose an eps above 0",
    );
  }
  const rstd = column((c) => 1 / of(std, c));
  const xhat = each((i, c) => cell(centered, i, c) * of(rstd, c));
  const scaled = each((i, c) => of(gamma, c) * cell(xhat, i, c));
  const y = each((i, c) => cell(scaled, i, c) + of(beta, c));
  return { mean, centered, squared, variance, std, rstd, xhat, scaled, y };
}

type Forward = ReturnType<typeof forward>;
type Gradients = Record<string, Row | Table>;

function backward(layer: Layer, { centered, std, rstd, xhat }: Forward): Gradients {
  const { dy, gamma } = layer;
  const { each, column, sum } = shapesOf(layer);
  const n = layer.x.length;
  const dbeta = sum((i, c) => cell(dy, i, c));
  const dgamma = sum((i, c) => cell(dy, i, c) * cell(xhat, i, c));
  const dxhat = each((i, c) => cell(dy, i, c) * of(gamma, c));
  const common = { y: dy, beta: dbeta, scaled: dy, gamma: dgamma, xhat: dxhat };
  if (layer.running) {
    const dcentered = each((i, c) => cell(dxhat, i, c) * of(rstd, c));
    return { ...common, centered: dcentered, x: dcentered };
  }
  const drstd = sum((i, c) => cell(dxhat, i, c) * cell(centered, i, c));
  const dstd = column((c) => -of(drstd, c) / (of(std, c) * of(std, c)));
  const dvar = column((c) => of(dstd, c) / (2 * of(std, c)));
  const dsquared = each((_, c) => of(dvar, c) / n);
  const dcentered = each((i, c) => cell(dxhat, i, c) * of(rstd, c) + 2 * cell(centered, i, c) * cell(dsquared, i, c));
  const dmean = sum((i, c) => cell(dcentered, i, c)).map((total) => -total);
  const dx = each((i, c) => cell(dcentered, i, c) + of(dmean, c) / n);
  return {
    ...common,
    rstd: drstd,
    std: dstd,
    var_biased: dvar,
    squared: dsquared,
    centered: dcentered,
    mean: dmean,
    x: dx,
  };
}

function closedForm(layer: Layer, { mean, variance }: Forward): Trace["closed_form"] {
  const { x, dy, gamma, eps, running } = layer;
  const { each, column, sum } = shapesOf(layer);
  const n = x.length;
  const centered = (i: number, c: number) => cell(x, i, c) - of(mean, c);
  const rstd = column((c) => 1 / Math.sqrt(of(variance, c) + eps));
  const dbeta = sum((i, c) => cell(dy, i, c));
  const dgamma = sum((i, c) => cell(dy, i, c) * centered(i, c)).map((total, c) => total * of(rstd, c));
  if (running) {
    const dx = each((i, c) => of(gamma, c) * of(rstd, c) * cell(dy, i, c));
    return { formula: "dx = gamma · rstd · dy", dx, dgamma, dbeta };
  }
  const dx = each(
    (i, c) =>
      ((of(gamma, c) * of(rstd, c)) / n) *
      (n * cell(dy, i, c) - of(dbeta, c) - centered(i, c) * of(rstd, c) * of(dgamma, c)),
  );
  return { formula: "dx = (gamma · rstd / N) · (N · dy − Σ dy − xhat · Σ dy · xhat)", dx, dgamma, dbeta };
}

function largestDifference(staged: Gradients, closed: Trace["closed_form"]): number {
  const pairs: [Row | Table | undefined, Row | Table][] = [
    [staged.x, closed.dx],
    [staged.gamma, closed.dgamma],
    [staged.beta, closed.dbeta],
  ];
  const differences = pairs.flatMap(([ours, theirs]) => {
    const others = theirs.flat();
    return (ours ?? []).flat().map((value, index) => Math.abs(value - of(others, index)));
  });
  return differences.reduce((most, difference) => Math.max(most, difference), 0);
}

function check(layer: Layer): void {
  expect(layer.x.length > 0 && layer.columns.length > 0, "a table needs at least one row and one column");
  expect(layer.eps >= 0, `eps must be at least 0, not ${layer.eps}`);
  for (const value of layer.running?.var ?? []) expect(value >= 0, `a variance cannot be below 0: ${value}`);
}

function refuseWhatIsNotFinite(name: string, values: Row | Table | null, columns: string[]): void {
  for (const [index, value] of (values ?? []).flat().entries()) {
    expect(
      Number.isFinite(value),
      `${name} of column "${columns[index % columns.length]}" is beyond the range of a double; rescale the table`,
    );
  }
}

/** To `digits` significant digits, as printf's %g writes it. */
function general(value: number, digits: number): string {
  const [mantissa = "", exponent = "0"] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < digits)) return String(Number(value.toPrecision(digits)));
  return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function notesOn({ columns, x, eps, running }: Layer): string[] {
  if (running) {
    return [
      "Inference: a row's result does not depend on the other rows, and no gradient flows through the statistics.",
    ];
  }
  if (x.length === 1) {
    return [
      "One row is its own mean: xhat is 0, y is beta whatever x is, and dx is 0. (PyTorch refuses to train on it.)",
    ];
  }
  const constant = columns.filter((_, c) => x.every((row) => row[c] === x[0]?.[c]));
  return constant.map(
    (name) =>
      `Column "${name}" is constant: its variance is 0 and its xhat 0 (up to the rounding of the mean), y is beta; ` +
      `only eps keeps rstd finite, ${general(1 / Math.sqrt(eps), 4)}.`,
  );
}

/**
 * Everything that happens to the layer's table, forward and backward. Throws TraceError: no rows, eps or a variance
 * below 0, a constant column with eps 0, an intermediate beyond the range of a double.
 */
export function compute(layer: Layer): Trace {
  check(layer);
  const made = forward(layer);
  const gradients = backward(layer, made);
  const { running } = layer;
  const values: Record<string, Row | Table> = {
    ...made,
    x: layer.x,
    var_biased: made.variance,
    running_mean: made.mean,
    running_var: made.variance,
    gamma: layer.gamma,
    beta: layer.beta,
  };
  const texts = [...(running ? inferenceTexts : trainingTexts), ...commonTexts(!running)];
  const nodes = texts.map(([name, meaning, formula, gradient_formula, inputs]): TraceNode => {
    const value = values[name] as Row | Table;
    const gradient = gradients[name] ?? null;
    refuseWhatIsNotFinite(name, value, layer.columns);
    refuseWhatIsNotFinite(`d${name}`, gradient, layer.columns);
    return { name, meaning, formula, gradient_formula, inputs, value, gradient };
  });
  const closed = closedForm(layer, made);
  for (const name of ["dx", "dgamma", "dbeta"] as const) {
    refuseWhatIsNotFinite(`${name} in closed form`, closed[name], layer.columns);
  }
  return {
    mode: running ? "inference" : "training",
    columns: layer.columns,
    rows: layer.x.length,
    eps: layer.eps,
    gamma: layer.gamma,
    beta: layer.beta,
    dy: layer.dy,
    running_mean: running?.mean ?? null,
    running_var: running?.var ?? null,
    nodes,
    closed_form: closed,
    difference: largestDifference(gradients, closed),
    notes: notesOn(layer),
  };
}

/** The layer that a trace is of. */
export function layerOf(trace: Trace): Layer {
  const { columns, gamma, beta, eps, dy, running_mean, running_var } = trace;
  const x = trace.nodes[0]?.value as Table;
  const running = running_mean && running_var ? { mean: running_mean, var: running_var } : null;
  return { columns, x, gamma, beta, eps, dy, running };
}

/** Mean and unbiased variance of x's columns; of one row, which has none, the variance 1. */
export function statisticsOf(x: Table): Running {
  const n = x.length;
  const columns = (x[0] ?? []).map((_, c) => x.map((row) => of(row, c)));
  const mean = columns.map((values) => values.reduce((sum, value) => sum + value / n, 0));
  const variance = columns.map((values, c) => {
    if (n === 1) return 1;
    return values.reduce((sum, value) => sum + ((value - of(mean, c)) * (value - of(mean, c))) / (n - 1), 0);
  });
  return { mean, var: variance };
}

/** A node by its name. */
export function nodeOf(trace: Trace, name: string): TraceNode {
  const node = trace.nodes.find((it) => it.name === name);
  if (!node) throw new Error(`there is no node ${name}`);
  return node;
}

export function isTable(values: Row | Table): values is Table {
  return Array.isArray(values[0]);
}

/** What stands at a place, or in the place's column where there is one number a column. */
export function at(values: Row | Table, row: number, column: number): number {
  return isTable(values) ? cell(values, row, column) : of(values, column);
}
