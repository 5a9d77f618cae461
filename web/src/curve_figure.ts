// The training loss of one run or several as a figure of the page, with its tools; it grows with runs that go on.
import { curveChart, type Curve } from "./curve_data";
import { anchor, el } from "./dom";
import { figureView, type FigureView } from "./figure";
import type { Run } from "./report";
import type { Source } from "./source";

const betweenDrawings = 1500; // milliseconds; for the eye, and for slow machines

/** What tells runs apart in a legend. */
export function runName(run: Run, others: Run[]): string {
  const alike = others.some((other) => other.id !== run.id && other.title === run.title);
  return alike || run.title === "" ? `${run.title} (${run.id.slice(0, 8)})`.trim() : run.title;
}

/** Draws again what has news, but not too often. */
function calmly(work: () => Promise<void>): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      void work();
    }, betweenDrawings);
  };
}

export async function curveFigure(source: Source, runs: Run[]): Promise<HTMLElement> {
  const id = runs.map((run) => run.id).join("-");
  const address = anchor(runs.length > 1 ? "compare" : "run", id);
  const read = () => Promise.all(runs.map((run) => source.curve(run.id)));
  const named = (curves: (Curve | null)[]) =>
    runs.flatMap((run, i) => (curves[i] ? [{ name: runName(run, runs), curve: curves[i] }] : []));
  const place = el("div", { class: "curve" });
  let view: FigureView | null = null;
  const show = (curves: (Curve | null)[]) => {
    const found = named(curves).filter(({ curve }) => curve.steps.length > 0);
    if (found.length === 0) return;
    if (view) return view.setSpec(curveChart(found));
    const each = Math.max(...found.map(({ curve }) => curve.each));
    const caption =
      `Training loss of each batch${each > 1 ? `; a point is the mean of ${each} steps` : ""}.` +
      (found.length < runs.length ? " Of the other run no curve is stored." : "");
    view = figureView({ experiment: "run", id, title: "", caption, spec: curveChart(found) }, "", address);
    place.replaceChildren(view.element);
  };
  show(await read());
  if (!view) place.append(el("p", { class: "small" }, "No curve of the training loss is stored here."));
  const news = calmly(async () => show(await read()));
  for (const run of runs) source.follow(run.id, place, news);
  return place;
}
