// What the page holds, and everything a person can do to it. After each change the listeners show it.
import { draftOf, readDraft, type Draft, type Place, type Problem } from "./draft";
import { stepsOf, type Step } from "./steps";
import { compute, layerOf, nodeOf, statisticsOf, TraceError, type Layer, type Table, type Trace } from "./trace";

export interface State {
  draft: Draft;
  /** rises when there are other fields, or other texts in them than were typed */
  revision: number;
  /** why the fields cannot be computed; then `trace` is the last that could */
  problems: Problem[];
  trace: Trace;
  steps: Step[];
  /** steps taken, 0 before the first */
  taken: number;
  /** the node that was clicked since */
  picked: string | null;
  /** the cell that is shown in the graph and in formulas */
  row: number;
  column: number;
}

function traced(draft: Draft): Trace | Problem[] {
  const layer = readDraft(draft);
  if (Array.isArray(layer)) return layer;
  try {
    return compute(layer);
  } catch (error) {
    if (error instanceof TraceError) return [{ place: null, sentence: `${error.message}.` }];
    throw error;
  }
}

export class Store {
  readonly state: State;
  private readonly listeners: ((state: State) => void)[] = [];

  constructor(private readonly written: Trace) {
    const draft = draftOf(layerOf(written));
    const trace = traced(draft);
    if (Array.isArray(trace)) throw new Error(trace[0]?.sentence);
    const steps = stepsOf(trace);
    this.state = { draft, revision: 0, problems: [], trace, steps, taken: 0, picked: null, row: 0, column: 0 };
  }

  listen(listener: (state: State) => void): void {
    this.listeners.push(listener);
    listener(this.state);
  }

  private tell(): void {
    for (const listener of this.listeners) listener(this.state);
  }

  private recompute(): void {
    const result = traced(this.state.draft);
    if (Array.isArray(result)) {
      this.state.problems = result;
    } else {
      const other = result.mode !== this.state.trace.mode;
      Object.assign(this.state, { problems: [], trace: result, steps: stepsOf(result) });
      if (other) Object.assign(this.state, { taken: 0, picked: null });
    }
    this.state.row = Math.min(this.state.row, this.state.trace.rows - 1);
    this.tell();
  }

  private replace(draft: Draft): void {
    this.state.draft = draft;
    this.state.revision += 1;
    this.recompute();
  }

  type({ part, row, column }: Place, text: string): void {
    const texts = this.state.draft.texts[part][row];
    if (texts) texts[column] = text;
    this.recompute();
  }

  /** A row like the columns' means, with nothing to say about the loss. */
  addRow(): void {
    const { draft, trace } = this.state;
    const { mean } = statisticsOf(nodeOf(trace, "x").value as Table);
    const { x, dy } = draft.texts;
    const texts = {
      ...draft.texts,
      x: [...x, mean.map((value) => String(Number(value.toPrecision(4))))],
      dy: [...dy, mean.map(() => "0")],
    };
    this.replace({ ...draft, texts });
  }

  removeRow(row: number): void {
    const { draft } = this.state;
    const without = (texts: string[][]) => texts.filter((_, index) => index !== row);
    if (this.state.row > row) this.state.row -= 1;
    this.replace({ ...draft, texts: { ...draft.texts, x: without(draft.texts.x), dy: without(draft.texts.dy) } });
  }

  /** Inference begins with what this table would have left in training. */
  setInference(inference: boolean): void {
    const { draft, trace } = this.state;
    if (inference === draft.inference) return;
    const { x, dy, gamma, beta, eps } = draft.texts;
    const statistics = statisticsOf(nodeOf(trace, "x").value as Table);
    const running_mean = [statistics.mean.map(String)];
    const running_var = [statistics.var.map(String)];
    this.replace({ ...draft, inference, texts: { x, dy, gamma, beta, eps, running_mean, running_var } });
  }

  /** Puts another layer into the fields. */
  fill(layer: Layer): void {
    this.replace(draftOf(layer));
  }

  reset(): void {
    Object.assign(this.state, { taken: 0, picked: null, row: 0, column: 0 });
    this.fill(layerOf(this.written));
  }

  choose(row: number, column: number): void {
    Object.assign(this.state, { row: Math.min(row, this.state.trace.rows - 1), column });
    this.tell();
  }

  pick(node: string): void {
    this.state.picked = node;
    this.tell();
  }

  go(taken: number): void {
    this.state.taken = Math.max(0, Math.min(taken, this.state.steps.length));
    this.state.picked = null;
    this.tell();
  }
}
