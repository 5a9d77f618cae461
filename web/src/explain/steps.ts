// The order in which a person is led through the graph: forward node by node, then the gradients backward.
import type { Trace } from "./trace";

export interface Step {
  node: string;
  backward: boolean;
}

/** Names of the nodes whose value, and whose gradient, is there already. */
export interface Reached {
  values: Set<string>;
  gradients: Set<string>;
}

export function stepsOf(trace: Trace): Step[] {
  const forward = trace.nodes.map(({ name }) => ({ node: name, backward: false }));
  const withGradient = trace.nodes.filter(({ gradient }) => gradient !== null);
  return [...forward, ...withGradient.map(({ name }) => ({ node: name, backward: true })).reverse()];
}

/** After the first `taken` steps; with none taken nothing is hidden. */
export function reached(steps: Step[], taken: number): Reached {
  const done = taken === 0 ? steps : steps.slice(0, taken);
  const names = (backward: boolean) => new Set(done.filter((it) => it.backward === backward).map((it) => it.node));
  return { values: names(false), gradients: names(true) };
}

/** "Forward, 5 of 12"; empty before the first step. */
export function position(steps: Step[], taken: number): string {
  const step = steps[taken - 1];
  if (!step) return "";
  const forward = steps.filter((it) => !it.backward).length;
  return step.backward
    ? `Backward, ${taken - forward} of ${steps.length - forward}`
    : `Forward, ${taken} of ${forward}`;
}
