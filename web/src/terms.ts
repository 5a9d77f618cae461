// The field's words in plain ones: explained where the mouse rests on them, and all together at the page's end.
import { anchor, el, type Child } from "./dom";

interface Term {
  name: string;
  /** Other forms in which a text may say it. */
  forms?: string[];
  meaning: string;
}

const terms: Term[] = [
  {
    name: "batch normalization (BN)",
    forms: ["batch normalization", "BN"],
    meaning:
      "A layer that shifts and scales each of its channels so that, over the current mini-batch, its mean is 0 and its " +
      "variance 1, then scales and shifts it again by two numbers that are learned (γ and β).",
  },
  {
    name: "mini-batch",
    forms: ["mini-batch", "batch"],
    meaning: "The few examples, here often 64 or 128, from which one step of training computes its gradient.",
  },
  {
    name: "gradient",
    forms: ["gradients", "gradient"],
    meaning:
      "The direction in which the loss grows fastest, one number for each weight. Training takes small steps against it.",
  },
  { name: "loss", meaning: "How wrong the network is: the number that training makes smaller." },
  {
    name: "learning rate",
    forms: ["learning rate", "rate"],
    meaning: "How far a step goes along the gradient: too low and training is slow, too high and it diverges.",
  },
  { name: "channel", forms: ["channels", "channel"], meaning: "One of the values or maps that a layer computes." },
  {
    name: "activation",
    forms: ["activations", "activation"],
    meaning: "A value inside the network, between two of its layers.",
  },
  {
    name: "internal covariate shift (ICS)",
    forms: ["internal covariate shift", "ICS"],
    meaning:
      "That a layer has to learn from inputs that change because the layers before it learn too. Measured here as the " +
      "change of a layer's gradient when only the layers before it take their step.",
  },
  {
    name: "landscape",
    meaning: "The loss as a height over all possible weights: training walks downhill in it, seeing only where it stands.",
  },
  {
    name: "β-smoothness",
    meaning: "How fast the gradient changes with distance. The less, the further one gradient can be trusted.",
  },
  {
    name: "Lipschitz constant",
    forms: ["Lipschitz"],
    meaning: "The most that the loss changes by per unit of distance.",
  },
  {
    name: "deep linear network (DLN)",
    forms: ["deep linear network", "linear network", "DLN"],
    meaning: "Layers that only multiply by a matrix: simple enough for formulas, hard enough to train.",
  },
  {
    name: "normalization",
    forms: ["l1", "l2", "linf"],
    meaning:
      "l1, l2 and linf divide a channel by another measure of its size than BN does: the mean of |x|, the root of the " +
      "mean of x², or the largest |x|.",
  },
  {
    name: "seed",
    forms: ["seeds", "seed"],
    meaning: "The start of the random numbers. Each network is trained from several, to tell an effect from luck.",
  },
];

const byForm = new Map(terms.flatMap((term) => (term.forms ?? [term.name]).map((form) => [form, term] as const)));
const longestFirst = [...byForm.keys()].sort((a, b) => b.length - a.length);
const pattern = new RegExp(`(?<![\\p{L}\\d-])(${longestFirst.join("|")})(?![\\p{L}\\d-])`, "gu");

function termAnchor(term: Term): string {
  return anchor("term", term.name);
}

/** The text, with the first place of each term made a link to its explanation, which also shows under the mouse. */
export function withTerms(text: string): Child[] {
  const seen = new Set<Term>();
  const parts: Child[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const term = byForm.get(match[0]);
    if (term === undefined || seen.has(term)) continue;
    seen.add(term);
    parts.push(text.slice(end, match.index));
    parts.push(el("a", { class: "term", href: `#${termAnchor(term)}`, title: term.meaning }, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

export function termsSection(): HTMLElement {
  const sorted = [...terms].sort((a, b) => a.name.localeCompare(b.name, "en"));
  return el(
    "section",
    { class: "guide", "aria-labelledby": "terms" },
    el("h2", { id: "terms" }, "Terms"),
    el(
      "dl",
      {},
      ...sorted.map((term) => el("div", {}, el("dt", { id: termAnchor(term) }, term.name), el("dd", {}, term.meaning))),
    ),
  );
}
