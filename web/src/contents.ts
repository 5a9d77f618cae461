// The contents list: beside the page where there is room, folded above it where there is not.
import { el } from "./dom";
import { experimentAnchor } from "./experiment";
import type { Experiment, Report } from "./report";
import { chapterAnchor, chapters } from "./tour";
import { ofRank, verdictMarks } from "./verdict";

function experimentEntry(report: Report, experiment: Experiment): HTMLElement {
  const claims = ofRank(report.claims, "primary").filter((claim) => claim.experiment === experiment.name);
  const link = el("a", { href: `#${experimentAnchor(experiment.name)}`, title: experiment.name }, experiment.title);
  return el("li", {}, link, claims.length > 0 ? verdictMarks(claims) : null);
}

/** Marks the entry of the section being read: the last whose heading has come up to the upper part of the window. */
function followReading(list: HTMLElement): void {
  const entries = [...list.querySelectorAll("a")].flatMap((link) => {
    const heading = document.getElementById(link.hash.slice(1));
    return heading ? [{ link, heading }] : [];
  });
  let waiting = false;
  const mark = () => {
    waiting = false;
    const passed = entries.filter(({ heading }) => heading.getBoundingClientRect().top < 0.3 * window.innerHeight);
    const current = passed[passed.length - 1] ?? entries[0];
    for (const entry of entries) {
      if (entry === current) entry.link.setAttribute("aria-current", "true");
      else entry.link.removeAttribute("aria-current");
    }
  };
  const wait = () => {
    if (!waiting) requestAnimationFrame(mark);
    waiting = true;
  };
  window.addEventListener("scroll", wait, { passive: true });
  wait();
}

export function contents(report: Report): HTMLElement {
  const place = (href: string, text: string) => el("li", {}, el("a", { href }, text));
  const stops = chapters(report).map(({ title, experiments }) =>
    el(
      "li",
      {},
      title === "" ? null : el("a", { class: "nav-chapter", href: `#${chapterAnchor(title)}` }, title),
      el("ul", {}, ...experiments.map((experiment) => experimentEntry(report, experiment))),
    ),
  );
  const list = el(
    "ul",
    {},
    place("#top", "In short"),
    ...stops,
    el("li", { class: "nav-tables" }, "For the researcher"),
    place("#claims", "All claims"),
    place("#how-to-read", "How to read them"),
    place("#terms", "Terms"),
    place("#runs", "The runs"),
  );
  const fold = el("details", {}, el("summary", {}, "Contents"), list);
  const wide = window.matchMedia("(min-width: 64rem)");
  const unfold = () => (fold.open = wide.matches);
  wide.addEventListener("change", unfold);
  unfold();
  list.addEventListener("click", (event) => {
    if (event.target instanceof HTMLAnchorElement && !wide.matches) fold.open = false;
  });
  requestAnimationFrame(() => followReading(list));
  return el("nav", { "aria-label": "Contents" }, fold);
}
