// The server that the page came from, by the interface of docs/serve.md: what it says of runs, and what it is asked.
// It is a source of runs as a report in a file is, only that its runs change.
import { extended, readCurve, type Curve } from "./curve_data";
import { fields, list, real, text, type Fields } from "./read";
import { readReport, readRun, type Report, type Run } from "./report";
import type { Change, Plan, Source, Starter } from "./source";

/** A run as the server sees it now. */
export interface LiveRun extends Run {
  step: number | null;
  loss: number | null;
  rate: number | null;
  leftSeconds: number | null;
}

export interface Progress {
  runs: number;
  ended: number;
  running: number;
  fraction: number;
  leftSeconds: number | null;
}

interface Follower {
  element: Element;
  wasThere: boolean;
  news: () => void;
}

interface Listener {
  runs: () => void;
  report: () => void;
  connection: () => void;
}

const retrySeconds = 3;
const mostPoints = 1500; // of a curve in the page; more are asked for anew, thinned

function liveRun(value: unknown): LiveRun {
  const from = fields(value);
  return {
    ...readRun(value),
    step: real(from.step),
    loss: real(from.loss),
    rate: real(from.rate),
    leftSeconds: real(from.left_seconds),
  };
}

function readProgress(value: unknown): Progress {
  const from = fields(value);
  const number = (name: string) => real(from[name]) ?? 0;
  return {
    runs: number("runs"),
    ended: number("ended"),
    running: number("running"),
    fraction: number("fraction"),
    leftSeconds: real(from.left_seconds),
  };
}

async function ask(path: string, method = "GET", body?: unknown): Promise<unknown> {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { method, ...sent }).catch(() => {
    throw new Error("The server does not answer.");
  });
  const content: unknown = await answer.json().catch(() => null);
  if (answer.ok) return content;
  const words = text(fields(content).error) || `The server answers with status ${answer.status}.`;
  throw Object.assign(new Error(words), { status: answer.status });
}

export class LiveClient implements Source {
  readonly runs = new Map<string, LiveRun>();
  progress: Progress = readProgress({});
  starter: Starter | null = null;
  folder = "";
  connected = false;
  /** The server said that it ends. */
  saidBye = false;
  lastHeard = new Date();
  private readonly curves = new Map<string, Curve>();
  private readonly specs = new Map<string, Fields>();
  private readonly followers = new Map<string, Set<Follower>>();
  private listener: Listener = { runs: () => {}, report: () => {}, connection: () => {} };
  private hellos = 0;

  listen(listener: Listener): void {
    this.listener = listener;
    this.connect();
  }

  private connect(): void {
    const events = new EventSource("api/events");
    const on = (name: string, act: (data: Fields) => void) =>
      events.addEventListener(name, (event) => {
        this.lastHeard = new Date();
        act(fields(JSON.parse((event as MessageEvent<string>).data)));
      });
    on("hello", (data) => this.hello(data));
    on("runs", (data) => this.news(data));
    on("points", (data) => this.points(data));
    on("report", () => this.listener.report());
    on("bye", () => {
      this.saidBye = true;
      this.lost();
    });
    events.addEventListener("error", () => {
      this.lost();
      if (events.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(() => this.connect(), 1000 * retrySeconds);
    });
  }

  private lost(): void {
    this.connected = false;
    this.listener.connection();
  }

  private hello(data: Fields): void {
    this.connected = true;
    this.saidBye = false;
    this.folder = text(data.folder);
    this.starter = data.may_start === true ? this : null;
    // What came meanwhile is not known.
    this.curves.clear();
    this.news(data);
    this.listener.connection();
    if (++this.hellos > 1) this.listener.report();
  }

  private news(data: Fields): void {
    this.progress = readProgress(data.progress);
    const changed = list(data.runs, liveRun);
    for (const run of changed) {
      const before = this.runs.get(run.id)?.state;
      this.runs.set(run.id, run);
      if (before !== undefined && before !== run.state) this.curves.delete(run.id);
      this.tell(run.id);
    }
    this.listener.runs();
  }

  private points(data: Fields): void {
    const id = text(data.id);
    const known = this.curves.get(id);
    if (known) {
      const curve = extended(
        known,
        list(data.steps, (step) => real(step) ?? 0),
        list(data.values, real),
      );
      if (curve.steps.length > mostPoints) this.curves.delete(id);
      else this.curves.set(id, curve);
    }
    this.tell(id);
  }

  follow(id: string, element: Element, news: () => void): void {
    const all = this.followers.get(id) ?? new Set<Follower>();
    all.add({ element, wasThere: false, news });
    this.followers.set(id, all);
  }

  private tell(id: string): void {
    const all = this.followers.get(id);
    for (const follower of all ?? []) {
      if (follower.element.isConnected) {
        follower.wasThere = true;
        follower.news();
      } else if (follower.wasThere) all?.delete(follower);
    }
  }

  /** null while there is none. */
  async report(): Promise<Report | null> {
    const told = await ask("api/report");
    return told === null ? null : readReport(told);
  }

  async run(id: string): Promise<Run | null> {
    try {
      const told = await ask(`api/runs/${encodeURIComponent(id)}`);
      const run = liveRun(told);
      const spec = run.spec ?? this.specs.get(id) ?? null;
      if (spec) this.specs.set(id, spec);
      return { ...run, spec };
    } catch (error) {
      if ((error as { status?: number }).status === 404) return null;
      throw error;
    }
  }

  async curve(id: string): Promise<Curve | null> {
    const known = this.curves.get(id);
    if (known) return known;
    const query = new URLSearchParams({ probe: "train", layer: "0", name: "loss" });
    try {
      const curve = readCurve(await ask(`api/runs/${encodeURIComponent(id)}/series?${query}`));
      if (curve) this.curves.set(id, curve);
      return curve;
    } catch {
      return null; // not begun, or an analysis
    }
  }

  log = async (id: string): Promise<string> => text(fields(await ask(`api/runs/${encodeURIComponent(id)}/log`)).log);

  async plan(change: Change): Promise<Plan> {
    const from = fields(await ask("api/plan", "POST", change));
    return {
      id: text(from.id),
      title: text(from.title),
      spec: fields(from.spec),
      costSeconds: real(from.cost_seconds),
      exists: from.exists === true,
    };
  }

  async start(change: Change): Promise<string> {
    return text(fields(await ask("api/runs", "POST", change)).id);
  }

  async stop(id: string): Promise<void> {
    await ask(`api/runs/${encodeURIComponent(id)}`, "DELETE");
  }
}
