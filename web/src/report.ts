// report.json as the page uses it. Reading is lenient: unknown fields are ignored, missing ones get an empty value,
// and a number that JSON cannot hold (NaN is written as null) stays null. Version 1 knew no ranks, and its "verdict" was
// the one without the correction.

import { readCurve, type Curve } from "./curve_data";
import { fields, list, real, realOrText, text, type Fields } from "./read";

export const schemaVersions: readonly number[] = [1, 2];

export type Verdict = "supported" | "not supported" | "undecided";

/** Primary: what the source states as its findings. Secondary: other layers, rates, placements, networks. */
export type Rank = "primary" | "secondary";

export interface Precondition {
  name: string;
  holds: boolean;
  detail: string;
}

export interface Claim {
  experiment: string;
  id: string;
  sentence: string;
  quote: string;
  statistic: string;
  window: string;
  unit: string;
  direction: "above" | "below" | "within";
  threshold: number[];
  paperValue: number | null;
  effect: number | null;
  interval: [number, number] | null;
  perSeed: (number | null)[];
  seeds: number | null;
  preconditions: Precondition[];
  rank: Rank;
  /** With Holm's correction within the claims of its rank: the verdict that the page shows everywhere. */
  verdict: Verdict;
  /** Without it. */
  verdictRaw: Verdict;
  p: number | null;
  pAdjusted: number | null;
  reason: string;
  runs: string[];
}

export interface Figure {
  experiment: string;
  id: string;
  title: string;
  caption: string;
  spec: Record<string, unknown>;
}

export interface PaperNumber {
  quantity: string;
  paper: number | string | null;
  ours: number | string | null;
  note: string;
}

export interface Experiment {
  name: string;
  title: string;
  question: string;
  source: string;
  figure: string;
  /** The part of the tour that it belongs to; "" in older reports. */
  chapter: string;
  /** What a person who has not read the paper is told. */
  plainly: string;
  /** Id of the claim that the first screen states; "" for none. */
  headline: string;
  /** That claim in plain words. */
  inShort: string;
  /** A command to go on with. */
  tryNext: string;
  answer: string[];
  whatWasRun: string[];
  paperNumbers: PaperNumber[];
  /** seconds: of processors where that was recorded, else of the clock */
  cost: { runs: number | null; seconds: number | null; computedNow: number | null };
  state: string;
  error: string;
  notes: string[];
}

export interface Run {
  id: string;
  title: string;
  kind: string;
  state: string;
  steps: number | null;
  divergedAt: number | null;
  /** of processors where that was recorded, else of the clock */
  seconds: number | null;
  threads: number | null;
  error: string;
  /** Seconds by probe. */
  probeSeconds: Record<string, number>;
  /** Its keys that are not at their default; null where the report does not hold it. */
  spec: Fields | null;
  /** The training loss, thinned; null where the report does not hold it. */
  curve: Curve | null;
}

export interface Report {
  schemaVersion: number | null;
  version: string;
  scale: string;
  data: string;
  /** As `bnlab reproduce --data` takes it. */
  dataName: string;
  created: string;
  state: string;
  fingerprint: Record<string, string>;
  claims: Claim[];
  figures: Figure[];
  experiments: Experiment[];
  runs: Run[];
}

function pair(value: unknown): [number, number] | null {
  const [low, high] = list(value, real);
  return typeof low === "number" && typeof high === "number" ? [low, high] : null;
}

function verdict(value: unknown): Verdict {
  return value === "supported" || value === "not supported" ? value : "undecided";
}

function computingTime(cost: Fields): number | null {
  return real(cost.cpu_seconds) ?? real(cost.seconds);
}

function claim(value: unknown): Claim {
  const from = fields(value);
  const direction = from.direction === "below" || from.direction === "within" ? from.direction : "above";
  return {
    experiment: text(from.experiment),
    id: text(from.id),
    sentence: text(from.sentence),
    quote: text(from.quote),
    statistic: text(from.statistic),
    window: text(from.window),
    unit: text(from.unit),
    direction,
    threshold: list(from.threshold, real).filter((bound): bound is number => bound !== null),
    paperValue: real(from.paper_value),
    effect: real(from.effect),
    interval: pair(from.interval),
    perSeed: list(from.per_seed, real),
    seeds: real(from.seeds),
    preconditions: list(from.preconditions, (item) => {
      const it = fields(item);
      return { name: text(it.name), holds: it.holds === true, detail: text(it.detail) };
    }),
    rank: from.rank === "secondary" ? "secondary" : "primary",
    verdict: verdict(from.verdict_corrected ?? from.verdict),
    verdictRaw: verdict(from.verdict_raw ?? from.verdict),
    p: real(from.p),
    pAdjusted: real(from.p_adjusted),
    reason: text(from.reason),
    runs: list(from.runs, text),
  };
}

function figure(value: unknown): Figure {
  const from = fields(value);
  return {
    experiment: text(from.experiment),
    id: text(from.id),
    title: text(from.title),
    caption: text(from.caption),
    spec: fields(from.spec),
  };
}

function experiment(value: unknown): Experiment {
  const from = fields(value);
  const cost = fields(from.cost);
  return {
    name: text(from.name),
    title: text(from.title) || text(from.name),
    question: text(from.question),
    source: text(from.source),
    figure: text(from.figure),
    chapter: text(from.chapter),
    plainly: text(from.plainly),
    headline: text(from.headline),
    inShort: text(from.in_short),
    tryNext: text(from.try_next),
    answer: list(from.answer, text),
    whatWasRun: list(from.what_was_run, text),
    paperNumbers: list(from.paper_numbers, (item) => {
      const it = fields(item);
      return {
        quantity: text(it.quantity),
        paper: realOrText(it.paper),
        ours: realOrText(it.ours),
        note: text(it.note),
      };
    }),
    cost: { runs: real(cost.runs), seconds: computingTime(cost), computedNow: real(cost.computed_now) },
    state: text(from.state) || "complete",
    error: text(from.error),
    notes: list(from.notes, text),
  };
}

/** Also what a server says of a run (a SUMMARY of docs/serve.md). */
export function readRun(value: unknown): Run {
  const from = fields(value);
  const probes = Object.entries(fields(from.probe_seconds)).map(([name, seconds]) => [name, real(seconds) ?? 0] as const);
  return {
    id: text(from.id),
    title: text(from.title),
    kind: text(from.kind),
    state: text(from.state),
    steps: real(from.steps),
    divergedAt: real(from.diverged_at),
    seconds: computingTime(from),
    threads: real(from.threads),
    error: text(from.error),
    probeSeconds: Object.fromEntries(probes),
    spec: typeof from.spec === "object" && from.spec !== null ? fields(from.spec) : null,
    curve: readCurve(from.curve),
  };
}

/** From the parsed report.json. */
export function readReport(value: unknown): Report {
  const from = fields(value);
  const fingerprint = Object.entries(fields(from.fingerprint)).map(([name, value]) => [name, text(value)] as const);
  return {
    schemaVersion: real(from.schema_version),
    version: text(from.bnlab),
    scale: text(from.scale),
    data: text(from.data_title) || text(from.data),
    dataName: text(from.data),
    created: text(from.created),
    state: text(from.state) || "complete",
    fingerprint: Object.fromEntries(fingerprint),
    claims: list(from.claims, claim),
    figures: list(from.figures, figure),
    experiments: list(from.experiments, experiment),
    runs: list(from.runs, readRun),
  };
}
