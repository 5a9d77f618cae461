// A run's spec for people: its keys in groups, and how two of them differ. The keys and their defaults are those of
// src/bnlab/record/run_spec_keys.h; a stored spec leaves out what is at its default.
import { fields, type Fields } from "./read";

export interface SpecRow {
  key: string;
  value: string;
}

const groupNames: [prefix: string, title: string][] = [
  ["data.", "Data"],
  ["model.norm", "Normalization"],
  ["model.", "Network"],
  ["optimizer.", "Optimizer"],
  ["probes.", "What is measured"],
  ["parameters.", "Parameters"],
  ["", "Training"],
];

const defaults: Record<string, string> = {
  batch: "128",
  seed: "0",
  "data.scaling": "z-score",
  "data.augment": "none",
  "data.pad_to": "0",
  "data.pool": "1",
  "data.draw": "0",
  "data.train_examples": "0",
  "model.norm.kind": "none",
  "model.norm.place": "before-activation",
  "model.init": "glorot-uniform",
  "model.init_scale": "1",
  "optimizer.name": "sgd",
  "optimizer.weight_decay": "0",
  "optimizer.factor": "0.1",
  "optimizer.schedule": "milestones",
  precision: "f32",
  memory_format: "channels-last",
  divergence_loss: "1000",
  "trajectory.keep": "none",
};

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function probeRows(probes: unknown[]): SpecRow[] {
  return probes.map((probe) => {
    const { name, parameters, ...rest } = fields(probe);
    const given = { ...rest, ...fields(parameters) };
    const words = Object.entries(given).map(([key, value]) => `${key} ${valueText(value)}`);
    return { key: `probes.${String(name)}`, value: words.length > 0 ? words.join(", ") : "as by default" };
  });
}

/** Every key with its value, "optimizer.lr" for a key within a part. */
export function flat(spec: Fields, prefix = ""): SpecRow[] {
  return Object.entries(spec).flatMap(([name, value]): SpecRow[] => {
    const key = prefix + name;
    if (key === "kind") return [];
    if (key === "probes" && Array.isArray(value)) return probeRows(value);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return flat(value as Fields, `${key}.`);
    return [{ key, value: valueText(value) }];
  });
}

export interface SpecGroup {
  title: string;
  rows: SpecRow[];
}

/** The keys in groups, each without the group's own prefix. */
export function grouped(spec: Fields): SpecGroup[] {
  const groups = new Map(groupNames.map(([, title]) => [title, [] as SpecRow[]]));
  for (const { key, value } of flat(spec)) {
    const [prefix, title] = groupNames.find(([start]) => key.startsWith(start))!;
    const name = key
      .slice(prefix.length)
      .replace(/^\.?(options\.)?/, "")
      .replace(/_/g, " ");
    groups.get(title)!.push({ key: name || "kind", value });
  }
  return [...groups].map(([title, rows]) => ({ title, rows })).filter(({ rows }) => rows.length > 0);
}

export interface Difference {
  key: string;
  a: string;
  b: string;
}

/** Keys of either spec, first those that differ. */
export function compared(a: Fields, b: Fields): { other: Difference[]; same: Difference[] } {
  const [ofA, ofB] = [a, b].map((spec) => new Map(flat(spec).map(({ key, value }) => [key, value])));
  const rows = [...new Set([...ofA!.keys(), ...ofB!.keys()])].map((key) => {
    const [left, right] = [ofA!.get(key), ofB!.get(key)].map(
      (it) => it ?? defaults[key] ?? (key.startsWith("probes.") ? "not measured" : "default"),
    );
    return { key: key.replace(/_/g, " "), a: left!, b: right! };
  });
  return { other: rows.filter(({ a, b }) => a !== b), same: rows.filter(({ a, b }) => a === b) };
}
