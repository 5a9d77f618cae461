// "What if": a run's training command with another rate, batch, normalization, seed or number of steps; with a server
// that may start runs, also what it would cost, and its start.
import { changingCommand } from "./copy";
import { el } from "./dom";
import { downloadText } from "./download";
import type { Run } from "./report";
import type { Change, Source } from "./source";
import { starter } from "./start_run";
import { trainCommand, valueAt, withValue } from "./train_command";

// src/bnlab/nn/norm_list.cpp
const norms = ["none", "batch", "noisy-batch", "noise", "l1", "l2", "linf", "group", "layer", "scale"];

interface Field {
  place: string;
  label: string;
  value: string;
  input: HTMLInputElement | HTMLSelectElement;
}

const numbers: { place: string; label: string; missing: number; min: string; step: string }[] = [
  { place: "optimizer.lr", label: "learning rate", missing: 0.1, min: "0", step: "any" },
  { place: "batch", label: "batch size", missing: 128, min: "1", step: "1" },
  { place: "seed", label: "seed", missing: 0, min: "0", step: "1" },
  { place: "steps", label: "steps", missing: 400, min: "1", step: "1" },
];

function fieldsOf(run: Run): Field[] {
  const spec = run.spec ?? {};
  const inputs = numbers.map(({ place, label, missing, min, step }): Field => {
    const value = String(valueAt(spec, place) ?? missing);
    return { place, label, value, input: el("input", { type: "number", min, step, value, required: true }) };
  });
  const kind = String(valueAt(spec, "model.norm.kind") ?? "none");
  const choice = el("select", {}, ...[...new Set([kind, ...norms])].map((it) => el("option", { value: it }, it)));
  choice.value = kind;
  inputs.splice(2, 0, { place: "model.norm.kind", label: "normalization", value: kind, input: choice });
  return inputs;
}

/** What the form asks for beyond the run itself. */
function changes(fields: Field[]): Record<string, number | string> {
  const changed = fields.filter(({ input, value }) => input.value !== value && input.value !== "");
  return Object.fromEntries(
    changed.map(({ place, input }) => [place, input instanceof HTMLSelectElement ? input.value : Number(input.value)]),
  );
}

function changedSpec(run: Run, changed: Record<string, number | string>) {
  let spec = run.spec ?? {};
  for (const [place, value] of Object.entries(changed)) {
    // Options belong to the kind that they were given to.
    if (place === "model.norm.kind") spec = withValue(spec, "model.norm.options", undefined);
    spec = withValue(spec, place, value);
  }
  return JSON.parse(JSON.stringify(spec)) as Record<string, unknown>;
}

export function trainForm(source: Source, run: Run): HTMLElement {
  const fields = fieldsOf(run);
  const shown = changingCommand("");
  const save = el("button", { type: "button" }, "save run.json");
  const file = el(
    "p",
    { class: "small", hidden: true },
    "The flags cannot say all of this run; store its file first: ",
    save,
  );
  const current = () => trainCommand(changedSpec(run, changes(fields)));
  const update = () => {
    const { text, file: content } = current();
    shown.set(text);
    file.hidden = content === null;
  };
  save.addEventListener("click", () => downloadText("run.json", current().file ?? "", "application/json"));
  const labels = fields.map(({ label, input }) => el("label", {}, label, input));
  const form = el("form", { class: "train-form", novalidate: true }, ...labels);
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
  const change = (): Change => ({ base: run.id, changes: changes(fields) });
  return el(
    "div",
    { class: "what-if" },
    form,
    file,
    shown.element,
    source.starter ? starter(source, run, form, change) : null,
  );
}
