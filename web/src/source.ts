// Where the page has what it shows of runs from: the report in the file, or the server that the page came from.
import { type Curve } from "./curve_data";
import type { Report, Run } from "./report";
import type { Fields } from "./read";

/** What is to be other than in the base run. */
export interface Change {
  base: string;
  changes: Record<string, number | string>;
}

export interface Plan {
  id: string;
  title: string;
  spec: Fields;
  costSeconds: number | null;
  exists: boolean;
}

/** What only a server can do. */
export interface Starter {
  plan(change: Change): Promise<Plan>;
  start(change: Change): Promise<string>;
  stop(id: string): Promise<void>;
}

export interface Source {
  /** The run with its spec, as far as that is known; null for an unknown id. */
  run(id: string): Promise<Run | null>;
  /** Its training loss; null where none is known. */
  curve(id: string): Promise<Curve | null>;
  /** What its process said; null where nobody can tell. */
  log: ((id: string) => Promise<string>) | null;
  starter: Starter | null;
  /** Calls back when something of this run is new, until the element leaves the page. */
  follow(id: string, element: Element, news: () => void): void;
}

export class ReportSource implements Source {
  readonly log = null;
  readonly starter = null;
  private readonly byId: Map<string, Run>;

  constructor(report: Report) {
    this.byId = new Map(report.runs.map((run) => [run.id, run]));
  }
  run(id: string): Promise<Run | null> {
    return Promise.resolve(this.byId.get(id) ?? null);
  }
  curve(id: string): Promise<Curve | null> {
    return Promise.resolve(this.byId.get(id)?.curve ?? null);
  }
  follow(): void {
    // A file does not change.
  }
}
