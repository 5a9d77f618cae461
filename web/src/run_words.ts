// What is said of a run: its state, its results.
import { anchor, el } from "./dom";
import { duration, grouped, unknown } from "./format";
import type { Run } from "./report";

export function pairs(rows: [string, string | Node][]): HTMLElement {
  return el("dl", { class: "pairs" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function stateText(run: Run): string {
  if (run.state === "diverged" && run.divergedAt !== null) return `diverged at step ${grouped(run.divergedAt)}`;
  return run.state || unknown;
}

export function runLink(id: string): HTMLElement {
  return el("a", { class: "code", href: `#${anchor("run", id)}`, title: id }, id.slice(0, 10));
}

/** State and cost. */
export function resultRows(run: Run): [string, string][] {
  const rows: [string, string][] = [["state", stateText(run)]];
  if (run.steps !== null) rows.push(["steps", grouped(run.steps)]);
  const last = run.curve?.values[run.curve.values.length - 1];
  if (typeof last === "number") rows.push(["last training loss", last.toPrecision(4)]);
  rows.push(["computing time", duration(run.seconds)]);
  if (run.threads !== null) rows.push(["threads", String(run.threads)]);
  const probes = Object.entries(run.probeSeconds).filter(([, seconds]) => seconds > 0);
  if (probes.length > 0) {
    rows.push(["of it for measuring", probes.map(([name, seconds]) => `${name} ${duration(seconds)}`).join(", ")]);
  }
  return rows;
}
