// The `bnlab train` command that computes a run of this spec, with other choices where they are wanted. Its flags are
// those of src/bnlab/record/run_spec_keys.h and cli/spec_flags.cpp.
import { fields, type Fields } from "./read";

/** Flags by place of the key. Those of the required keys are always given: what train takes instead of them differs. */
const flags: [place: string, flag: string][] = [
  ["data.draw", "--draw"],
  ["data.pool", "--pool"],
  ["data.scaling", "--scaling"],
  ["data.augment", "--augment"],
  ["data.train_examples", "--train-examples"],
  ["model.norm.place", "--place"],
  ["model.init", "--init"],
  ["model.init_scale", "--init-scale"],
  ["optimizer.name", "--optimizer"],
  ["optimizer.momentum", "--momentum"],
  ["optimizer.weight_decay", "--weight-decay"],
  ["optimizer.schedule", "--schedule"],
  ["optimizer.milestones", "--milestones"],
  ["optimizer.factor", "--factor"],
  ["batch", "--batch"],
  ["seed", "--seed"],
  ["threads", "--threads"],
  ["memory_format", "--memory-format"],
  ["divergence_loss", "--divergence-loss"],
  ["trajectory.keep", "--keep"],
  ["trajectory.every", "--keep-every"],
  ["trajectory.dims", "--keep-dims"],
];

const optionFlags: [place: string, flag: string][] = [
  ["model.norm.options", "--norm-option"],
  ["model.options", "--model-option"],
  ["optimizer.options", "--optimizer-option"],
];

// Keys that the flags above, or what is written out below, say.
const others = [
  "kind",
  "data.set",
  "data.digest",
  "data.pad_to",
  "model.name",
  "model.norm.kind",
  "optimizer.lr",
  "steps",
  "probes",
  "probe_budget",
];

// Models whose channels `bnlab train` makes a quarter of the original's unless it is told otherwise.
const relativeWidth = /^(vgg|resnet|nin|caffenet)/;

export function valueAt(spec: Fields, place: string): unknown {
  return place.split(".").reduce<unknown>((part, name) => fields(part)[name], spec);
}

export function withValue(spec: Fields, place: string, value: unknown): Fields {
  const [name = "", ...rest] = place.split(".");
  if (rest.length === 0) return { ...spec, [name]: value };
  return { ...spec, [name]: withValue(fields(spec[name]), rest.join("."), value) };
}

/** For a POSIX shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

function number(text: string): boolean {
  return /^-?(\d|\.\d|inf|nan)/i.test(text);
}

/** NAME=VALUE, or null if the flag would read the value as another. */
function optionText(name: string, value: unknown): string | null {
  if (typeof value === "number") return `${name}=${value}`;
  return typeof value === "string" && value !== "" && !number(value) ? `${name}=${value}` : null;
}

function probeValue(value: unknown): string | null {
  if (typeof value === "string" && /^[A-Za-z][\w-]*$/.test(value) && !["true", "false", "null"].includes(value))
    return value;
  const json = JSON.stringify(value);
  // The flag is cut at commas outside of brackets, without a look at quotation marks.
  return typeof value === "string" && /[,[\]{}]/.test(value) ? null : json;
}

/** NAME:KEY=VALUE,… as --probe reads it, or null if it cannot be said so. */
export function probeText(probe: unknown): string | null {
  const { name, parameters, ...schedule } = fields(probe);
  const own = fields(parameters);
  if (Object.keys(own).some((key) => ["every", "from", "at_end"].includes(key))) return null;
  const parts = Object.entries({ ...schedule, ...own }).map(([key, value]) => {
    const text = probeValue(value);
    return text === null ? null : `${key}=${text}`;
  });
  if (parts.includes(null)) return null;
  return parts.length === 0 ? String(name) : `${String(name)}:${parts.join(",")}`;
}

function placesOf(spec: Fields, prefix = ""): string[] {
  return Object.entries(spec).flatMap(([name, value]) => {
    const place = prefix + name;
    const isOptions = optionFlags.some(([it]) => it === place);
    const isPart = typeof value === "object" && value !== null && !Array.isArray(value) && !isOptions;
    return isPart ? placesOf(value as Fields, `${place}.`) : [place];
  });
}

function flagText(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** The words after `bnlab train`, or null if flags cannot say this spec: then a file with it can. */
function words(spec: Fields): string[] | null {
  const known = [...others, ...flags.map(([place]) => place), ...optionFlags.map(([place]) => place)];
  if (placesOf(spec).some((place) => !known.includes(place) && place !== "precision")) return null;
  const [model, rate, steps] = ["model.name", "optimizer.lr", "steps"].map((place) => valueAt(spec, place));
  if (typeof model !== "string" || typeof rate !== "number" || typeof steps !== "number") return null;
  const all = [
    ["--model", model],
    ["--norm", String(valueAt(spec, "model.norm.kind") ?? "none")],
    ["--lr", String(rate)],
    ["--steps", String(steps)],
    ["--pad-to", flagText(valueAt(spec, "data.pad_to") ?? 0)],
  ];
  for (const [place, flag] of flags) {
    const value = valueAt(spec, place);
    if (value !== undefined) all.push([flag, flagText(value)]);
  }
  for (const [place, flag] of optionFlags) {
    const options = { ...fields(valueAt(spec, place)) };
    if (place === "model.options" && relativeWidth.test(model) && options.width === undefined) options.width = 1;
    for (const [name, value] of Object.entries(options)) {
      const text = optionText(name, value);
      if (text === null) return null;
      all.push([flag, text]);
    }
  }
  for (const probe of Array.isArray(spec.probes) ? spec.probes : []) {
    const text = probeText(probe);
    if (text === null) return null;
    all.push(["--probe", text]);
  }
  if (typeof spec.probe_budget === "number")
    all.push(["--probe-budget", `${Number((100 * spec.probe_budget).toPrecision(12))}%`]);
  return all.flatMap(([flag, value]) => [flag!, quoted(value!)]);
}

export interface TrainCommand {
  text: string;
  /** The spec to be stored beside it, if the flags cannot say it. */
  file: string | null;
}

export function trainCommand(spec: Fields): TrainCommand {
  const data = String(valueAt(spec, "data.set") ?? "fashion-mnist");
  const start = ["bnlab", "train", "--data", quoted(data)];
  const rest = words(spec);
  if (rest !== null) return { text: [...start, ...rest, "--out", "more"].join(" "), file: null };
  return {
    text: [...start, "--spec", "run.json", "--out", "more"].join(" "),
    file: `${JSON.stringify(spec, null, 2)}\n`,
  };
}
