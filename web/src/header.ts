// The top of the page: what BN does, what of the literature's claims held here, one picture of it, the counts of
// verdicts, where and at what cost the report was made; then how to read it.
import { isMeasured } from "./claims";
import { el, type Child } from "./dom";
import { experimentAnchor } from "./experiment";
import { count, date, duration } from "./format";
import type { Claim, Experiment, Figure, Report } from "./report";
import { withTerms } from "./terms";
import { countVerdicts, ofRank, verdictLabel, verdicts, verdictWords } from "./verdict";

const fingerprintNames: Record<string, string> = {
  cpu: "processor",
  cpu_isa: "widest instruction set",
  isa: "instruction set in use",
  libtorch: "libtorch",
  commit: "commit",
};

function facts(report: Report): [string, string][] {
  const seconds = report.runs.reduce((sum, run) => sum + (run.seconds ?? 0), 0);
  const machine = Object.entries(report.fingerprint).map(([name, value]): [string, string] => [
    fingerprintNames[name] ?? name.replace(/_/g, " "),
    value,
  ]);
  return [
    ["data set", report.data],
    ["scale", report.scale],
    ["created", date(report.created)],
    ["total cost", `${count(report.runs.length, "run")}, ${duration(seconds)} of computing time`],
    ["bnlab", report.version],
    ...machine,
  ];
}

/** What the verdicts of the secondary claims are, in small print. */
function secondaryTally(report: Report): HTMLElement | null {
  const claims = ofRank(report.claims, "secondary");
  if (claims.length === 0) return null;
  return el(
    "p",
    { class: "small" },
    `and ${count(claims.length, "secondary claim")} (other layers, rates, placements and networks): ` +
      `${verdictWords(claims)}.`,
  );
}

function tally(report: Report): HTMLElement {
  const primary = ofRank(report.claims, "primary");
  const counts = countVerdicts(primary);
  const items = verdicts.map((verdict) => el("li", {}, el("strong", {}, String(counts[verdict])), verdictLabel(verdict)));
  return el(
    "div",
    { class: "tally" },
    el(
      "p",
      {},
      el("strong", {}, count(primary.length, "primary claim")),
      " – those that the sources state as their findings – measured here:",
    ),
    el("ul", {}, ...items),
    secondaryTally(report),
  );
}

function partialNotice(report: Report): HTMLElement | null {
  if (report.state !== "partial") return null;
  const open = report.experiments.filter((experiment) => experiment.state !== "complete").map((it) => it.name);
  const which = open.length > 0 ? ` Not complete: ${open.join(", ")}.` : "";
  return el(
    "p",
    { class: "notice", role: "note" },
    `This report is partial: some of its runs have not been computed, or failed.${which}`,
  );
}

interface Headline {
  experiment: Experiment;
  claim: Claim;
}

/** The claims that the first screen states: those that an experiment names, else each experiment's first primary one. */
function headlines(report: Report): Headline[] {
  const named = report.experiments.flatMap((experiment) => {
    const claim = report.claims.find((it) => it.experiment === experiment.name && it.id === experiment.headline);
    return claim ? [{ experiment, claim }] : [];
  });
  if (named.length > 0) return named;
  return report.experiments.flatMap((experiment) => {
    const claim = ofRank(report.claims, "primary").find((it) => it.experiment === experiment.name);
    return claim ? [{ experiment, claim }] : [];
  });
}

const mostHeadlines = 4;

/** The figure that the first screen shows. */
export function coverFigure(report: Report): Figure | null {
  const cover = headlines(report)[0]?.experiment.name ?? report.experiments[0]?.name;
  return report.figures.find((it) => it.experiment === cover) ?? null;
}

function inShort(report: Report, cover: HTMLElement | null): HTMLElement {
  const stated = headlines(report).slice(0, mostHeadlines);
  return el(
    "div",
    { class: "in-short" },
    el(
      "p",
      {},
      ...withTerms(
        "Batch normalization (BN) is a layer that gives each channel the mean 0 and the variance 1 over the current " +
          "mini-batch, then scales and shifts it by two learned numbers.",
      ),
    ),
    stated.length === 0 ? null : el("p", {}, "What the literature says of it, and whether it held here:"),
    el(
      "ul",
      { class: "claim-list", "aria-label": "In short" },
      ...stated.map(({ experiment, claim }) =>
        el(
          "li",
          {},
          isMeasured(claim) ? verdictLabel(claim.verdict) : el("span", { class: "small" }, "not measured yet"),
          el("a", { href: `#${experimentAnchor(experiment.name)}` }, experiment.inShort || claim.sentence),
        ),
      ),
    ),
    cover,
  );
}

/** What stands in the page's header; `cover` is the element of its figure. */
export function headerParts(report: Report, cover: HTMLElement | null): (HTMLElement | null)[] {
  return [
    el("h1", {}, "What batch normalization does"),
    el(
      "p",
      { class: "lead" },
      `A bnlab report: the literature's experiments, run again on ${report.data}, ${report.scale} scale.`,
    ),
    partialNotice(report),
    inShort(report, cover),
    tally(report),
    el(
      "dl",
      { class: "facts" },
      ...facts(report)
        .filter(([, value]) => value !== "")
        .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
  ];
}

function entry(term: Child, ...text: Child[]): HTMLElement {
  return el("div", {}, el("dt", {}, term), el("dd", {}, ...text));
}

export function howToRead(): HTMLElement {
  return el(
    "section",
    { class: "guide", "aria-labelledby": "how-to-read" },
    el("h2", { id: "how-to-read" }, "How to read this"),
    el(
      "p",
      {},
      "Each claim was written down before anything was measured: a sentence from the literature, one number " +
        "that would show it (the effect), and the threshold that this number has to pass. The networks to be " +
        "compared, for example with and without batch normalization, are trained several times, each time from " +
        "another random seed. Two networks with the same seed are compared with each other, which gives one " +
        "effect a seed.",
    ),
    el(
      "dl",
      {},
      entry(
        "Effect and interval",
        "The effect is the average over the seeds. The 95 % interval says how far that average can be trusted: " +
          "made by this recipe (Student's t on the paired differences), about 95 of 100 such intervals contain the " +
          "true average. Few seeds give wide intervals. An effect given as a log ratio (natural logarithm) is " +
          "followed by the factor it stands for.",
      ),
      entry(
        "Primary and secondary",
        "A primary claim is one that its source states as a finding; an experiment has at most four. Secondary claims " +
          "ask the same of other layers, learning rates, placements or networks. The counts at the top of this page " +
          "and the marks in its contents are those of the primary claims.",
      ),
      entry(
        "One correction (Holm)",
        "Who checks many claims finds some decided by luck. Holm's method therefore asks for more evidence the more " +
          "claims are judged together, so that the chance of even one lucky verdict among them stays below 5 %. " +
          "Judged together are the primary claims of an experiment, and apart from them its secondary ones, so that " +
          "many side questions do not make its findings harder to decide. Every verdict on this page is the one after " +
          "this correction; what the claim would get alone stands behind its \u201cQuote and method\u201d.",
      ),
      entry(
        verdictLabel("supported"),
        "The whole interval lies on the claim's side of the threshold (shaded in the drawing), clearly enough for the " +
          "correction.",
      ),
      entry(
        verdictLabel("not supported"),
        "The whole interval lies on the other side, clearly enough for the correction. This holds for the networks, " +
          "the data and the scale used here; it does not refute a paper that used others.",
      ),
      entry(
        verdictLabel("undecided"),
        "The interval reaches over the threshold or is decided only without the correction, or there are fewer than " +
          "three seeds, or a precondition does not hold: for instance, a network that has learned nothing has small " +
          "gradients for a reason that is not the claim's.",
      ),
    ),
  );
}
