// "What if", for an experiment: the command that computes it again with other seeds or at another scale, and that of
// one of its runs with other choices.
import { changingCommand } from "./copy";
import { el } from "./dom";
import type { Experiment, Report, Run } from "./report";
import type { Source } from "./source";
import { trainForm } from "./train_form";

const scales = ["smoke", "quick", "standard", "paper"];

function reproduceForm(experiment: Experiment, scale: string, data: string): HTMLElement {
  const size = el("select", {}, ...scales.map((it) => el("option", { value: it }, it)));
  size.value = scales.includes(scale) ? scale : "quick";
  const seeds = el("input", { type: "number", min: 1, max: 1000, step: 1, value: 5 });
  const first = el("input", { type: "number", min: 0, step: 1, value: 0 });
  const shown = changingCommand("");
  const update = () => {
    const chosen = [`--seeds ${seeds.value || 5}`, Number(first.value) > 0 ? `--first-seed ${first.value}` : ""];
    const words = ["bnlab reproduce --only", experiment.name, `--scale ${size.value}`, `--data ${data}`, ...chosen];
    shown.set([...words, "--out more"].filter((word) => word !== "").join(" "));
  };
  const form = el(
    "form",
    { class: "train-form" },
    el("label", {}, "scale", size),
    el("label", {}, "seeds", seeds),
    el("label", {}, "first seed", first),
  );
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  update();
  return el(
    "div",
    {},
    el("p", { class: "small" }, "The whole experiment, with other seeds or at another scale:"),
    form,
    shown.element,
  );
}

function ofExperiment(report: Report, experiment: Experiment): Run[] {
  const ids = new Set(
    report.claims.filter((claim) => claim.experiment === experiment.name).flatMap((claim) => claim.runs),
  );
  return report.runs.filter((run) => ids.has(run.id) && run.kind === "train");
}

function oneRun(source: Source, runs: Run[]): HTMLElement | null {
  const [first] = runs;
  if (!first) return null;
  const choice = el("select", {}, ...runs.map((run) => el("option", { value: run.id }, run.title || run.id)));
  const place = el("div");
  const show = async () => {
    const run = await source.run(choice.value);
    place.replaceChildren(
      run?.spec
        ? trainForm(source, run)
        : el(
            "p",
            { class: "small" },
            "What this run was asked to do is not stored in this report, so its command is not known here.",
          ),
    );
  };
  choice.addEventListener("change", () => void show());
  void show();
  return el(
    "div",
    {},
    el("p", { class: "small" }, "One of its runs, with other choices:"),
    el("label", { class: "run-choice" }, "run ", choice),
    place,
  );
}

export function whatIf(report: Report, source: Source, experiment: Experiment): HTMLElement {
  return el(
    "div",
    { class: "what-if-experiment" },
    reproduceForm(experiment, report.scale, report.dataName || "fashion-mnist"),
    oneRun(source, ofExperiment(report, experiment)),
  );
}
