// A node's formula with the numbers of one cell put in.
import { number } from "../format";
import { at, nodeOf, type Trace } from "./trace";

/** A piece of a formula; `exact` is the full number behind a rounded one, and `name` what it is. */
export interface Piece {
  text: string;
  kind: "sign" | "value" | "gradient";
  exact?: number;
  name?: string;
}

export interface Worked {
  formula: string;
  /** the formula's right side in numbers; empty for what is given */
  pieces: Piece[];
  result: Piece;
}

/** As many digits as the page shows of a number. */
export function short(value: number): string {
  return number(value, 5);
}

function sign(text: string): Piece {
  return { text, kind: "sign" };
}

/** The numbers of one cell: its own column, and its own row where there are rows. */
class Cell {
  readonly rows: number;

  constructor(
    private readonly trace: Trace,
    private readonly row: number,
    private readonly column: number,
  ) {
    this.rows = trace.rows;
  }

  value(name: string, row = this.row): Piece {
    const exact = at(nodeOf(this.trace, name).value, row, this.column);
    return { text: short(exact), kind: "value", exact, name };
  }

  gradient(name: string, row = this.row): Piece {
    const exact = at(nodeOf(this.trace, name).gradient ?? [], row, this.column);
    return { text: short(exact), kind: "gradient", exact, name: `d${name}` };
  }

  get eps(): Piece {
    return { text: short(this.trace.eps), kind: "value", exact: this.trace.eps, name: "eps" };
  }

  /** A sum over the rows, of which the middle is left out where there are many. */
  sum(term: (row: number) => Piece[]): Piece[] {
    const all = Array.from({ length: this.rows }, (_, row) => row);
    const few = this.rows > 4;
    const first = few ? [0, 1] : all;
    const terms = first.flatMap((row) => [
      ...(row > 0 ? [sign(" + ")] : []),
      ...(row > 0 ? after(term(row)) : term(row)),
    ]);
    return few ? [...terms, sign(" + … + "), ...after(term(this.rows - 1))] : terms;
  }
}

/** What stands beside a sign: in parentheses if it is negative or a product with a power of ten. */
function inner(piece: Piece): Piece {
  return /^\u2212|·/.test(piece.text) ? { ...piece, text: `(${piece.text})` } : piece;
}

/** A term behind a sign. */
function after([first, ...rest]: Piece[]): Piece[] {
  return first ? [inner(first), ...rest] : [];
}

function product(first: Piece, second: Piece): Piece[] {
  return [first, sign(" · "), inner(second)];
}

type Numbers = (cell: Cell) => Piece[];

const forward: Record<string, Numbers> = {
  mean: (it) => [sign("("), ...it.sum((row) => [it.value("x", row)]), sign(`) / ${it.rows}`)],
  squared: (it) => [inner(it.value("centered")), sign("²")],
  var_biased: (it) => [sign("("), ...it.sum((row) => [it.value("squared", row)]), sign(`) / ${it.rows}`)],
  rstd: (it) => [sign("1 / "), inner(it.value("std"))],
  xhat: (it) => product(it.value("centered"), it.value("rstd")),
  scaled: (it) => product(it.value("gamma"), it.value("xhat")),
  y: (it) => [it.value("scaled"), sign(" + "), inner(it.value("beta"))],
};

const backward: Record<string, Numbers> = {
  beta: (it) => it.sum((row) => [it.gradient("y", row)]),
  scaled: (it) => [it.gradient("y")],
  gamma: (it) => it.sum((row) => product(it.gradient("scaled", row), it.value("xhat", row))),
  xhat: (it) => product(it.gradient("scaled"), it.value("gamma")),
  rstd: (it) => it.sum((row) => product(it.gradient("xhat", row), it.value("centered", row))),
  std: (it) => [sign("−"), inner(it.gradient("rstd")), sign(" / "), inner(it.value("std")), sign("²")],
  var_biased: (it) => [it.gradient("std"), sign(" / (2 · "), it.value("std"), sign(")")],
  squared: (it) => [it.gradient("var_biased"), sign(` / ${it.rows}`)],
  mean: (it) => [sign("−("), ...it.sum((row) => [it.gradient("centered", row)]), sign(")")],
};

function forwardPieces(cell: Cell, trace: Trace, name: string): Piece[] {
  const training = trace.mode === "training";
  if (name === "centered") {
    return [cell.value("x"), sign(" − "), inner(cell.value(training ? "mean" : "running_mean"))];
  }
  if (name === "std") {
    return [sign("√("), cell.value(training ? "var_biased" : "running_var"), sign(" + "), cell.eps, sign(")")];
  }
  return forward[name]?.(cell) ?? [];
}

function backwardPieces(cell: Cell, trace: Trace, name: string): Piece[] {
  const training = trace.mode === "training";
  if (name === "centered") {
    const direct = product(cell.gradient("xhat"), cell.value("rstd"));
    if (!training) return direct;
    const curve = [cell.value("centered"), cell.gradient("squared")].map(inner);
    return [...direct, ...curve.flatMap((piece, index) => [sign(index === 0 ? " + 2 · " : " · "), piece])];
  }
  if (name === "x") {
    const direct = cell.gradient("centered");
    return training ? [direct, sign(" + "), inner(cell.gradient("mean")), sign(` / ${cell.rows}`)] : [direct];
  }
  return backward[name]?.(cell) ?? [];
}

/** How a node's value, or its gradient (which it must have), comes about in one cell. What is given has no pieces. */
export function worked(trace: Trace, name: string, isGradient: boolean, row: number, column: number): Worked {
  const cell = new Cell(trace, row, column);
  const node = nodeOf(trace, name);
  const formula = isGradient ? node.gradient_formula : node.formula;
  const result = isGradient ? cell.gradient(name) : cell.value(name);
  const pieces = isGradient ? backwardPieces(cell, trace, name) : forwardPieces(cell, trace, name);
  return { formula: formula === "given" ? (result.name ?? name) : formula, pieces, result };
}

/** Where gradients of several edges meet in a node: what comes along the one of them, its formula and its number. */
export function contribution(
  trace: Trace,
  to: string,
  from: string,
  row: number,
  column: number,
): [string, number] | null {
  if (trace.mode === "inference") return null;
  const value = (name: string) => at(nodeOf(trace, name).value, row, column);
  const gradient = (name: string) => at(nodeOf(trace, name).gradient ?? [], row, column);
  switch (`${from} ${to}`) {
    case "centered x":
      return ["dcentered", gradient("centered")];
    case "mean x":
      return ["dmean / N", gradient("mean") / trace.rows];
    case "xhat centered":
      return ["dxhat · rstd", gradient("xhat") * value("rstd")];
    case "squared centered":
      return ["2 · centered · dsquared", 2 * value("centered") * gradient("squared")];
    default:
      return null;
  }
}
