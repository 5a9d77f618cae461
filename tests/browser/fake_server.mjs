// A server by the interface of docs/serve.md, for the tests of the live page: it says what it is told to say.
import { createServer } from "node:http";
import { pageWith, sample } from "./report_pages.mjs";

const json = (answer, content, status = 200) => {
  answer.writeHead(status, { "Content-Type": "application/json; charset=utf-8" });
  answer.end(JSON.stringify(content));
};

export function summary(id, fields = {}) {
  return {
    id,
    title: `run ${id}`,
    kind: "train",
    state: "running",
    step: 10,
    steps: 400,
    loss: 2.1,
    rate: 25,
    left_seconds: 15.6,
    diverged_at: null,
    seconds: 0.4,
    threads: 1,
    error: "",
    ...fields,
  };
}

export class FakeServer {
  report = null;
  runs = new Map();
  specs = new Map();
  curves = new Map();
  progress = { runs: 40, ended: 12, running: 1, fraction: 0.3, left_seconds: 190 };
  mayStart = false;
  requests = [];
  refusal = null; // of the next plan: [status, words]
  busy = ""; // why no run can be started
  streams = new Set();

  async open(port = 0) {
    this.server = createServer((request, answer) => this.answer(request, answer));
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    return `http://127.0.0.1:${this.port}/`;
  }

  async close(bye = false) {
    if (bye) {
      this.send("bye", {});
      await new Promise((resolve) => setTimeout(resolve, 500)); // until it is read
    }
    for (const stream of this.streams) stream.destroy();
    this.server.closeAllConnections?.();
    await new Promise((resolve) => this.server.close(resolve));
  }

  send(event, data) {
    for (const stream of this.streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** The state of a run is another. */
  change(id, fields) {
    this.runs.set(id, { ...(this.runs.get(id) ?? summary(id)), ...fields });
    this.send("runs", { runs: [this.runs.get(id)], progress: this.progress });
  }

  points(id, steps, values) {
    const curve = this.curves.get(id) ?? { steps: [], values: [], of: 0, each: 1 };
    curve.steps.push(...steps);
    curve.values.push(...values);
    this.curves.set(id, curve);
    this.send("points", { id, steps, values });
  }

  newReport(report) {
    this.report = report;
    this.send("report", { created: report.created });
  }

  all() {
    return { runs: [...this.runs.values()], progress: this.progress, may_start: this.mayStart, folder: "more" };
  }

  answer(request, answer) {
    const { pathname } = new URL(request.url, "http://localhost");
    this.requests.push(`${request.method} ${pathname}`);
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => this.route(request.method, pathname.split("/").slice(1), body, answer));
  }

  route(method, [first, second, id, what], body, answer) {
    if (first === "") {
      answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
      return answer.end(pageWith({ live: true }));
    }
    if (first !== "api") return json(answer, { error: "there is nothing of this name" }, 404);
    if (second === "report") {
      return json(answer, this.report ?? null);
    }
    if (second === "events") return this.stream(answer);
    if (second === "plan") return this.plan(JSON.parse(body), answer);
    if (method === "POST") return this.start(JSON.parse(body), answer);
    if (id === undefined) return json(answer, this.all());
    return this.run(id, what, method, answer);
  }

  stream(answer) {
    answer.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    this.streams.add(answer);
    answer.on("close", () => this.streams.delete(answer));
    answer.write(`event: hello\ndata: ${JSON.stringify(this.all())}\n\n`);
  }

  run(id, what, method, answer) {
    const run = this.runs.get(id);
    if (!run) return json(answer, { error: `there is no run ${id}` }, 404);
    if (method === "DELETE") {
      this.change(id, { state: "unfinished" });
      return json(answer, {});
    }
    if (what === "log") return json(answer, { log: "epoch 1\nepoch 2\n" });
    if (what === "series") {
      const curve = this.curves.get(id);
      return curve ? json(answer, curve) : json(answer, { error: "no such series" }, 404);
    }
    return json(answer, { ...run, spec: this.specs.get(id) ?? {}, fingerprint: {}, probe_seconds: {}, series: [] });
  }

  plan({ changes }, answer) {
    if (this.refusal) return json(answer, { error: this.refusal[1] }, this.refusal[0]);
    this.planned = changes;
    json(answer, { id: "00000000000000aa", title: "vgg11, rate 0.5", spec: {}, cost_seconds: 65.2, exists: false });
  }

  start({ base, changes }, answer) {
    if (this.busy) return json(answer, { error: this.busy }, 409);
    const id = "00000000000000aa";
    this.started = { base, changes };
    this.specs.set(id, { ...this.specs.get(base), optimizer: { lr: changes["optimizer.lr"] } });
    this.change(id, { ...summary(id), title: "vgg11, rate 0.5" });
    json(answer, { id });
  }

  /** The sample's runs, as the server sees them. */
  knowSample() {
    this.report = sample();
    for (const run of this.report.runs) {
      this.runs.set(
        run.id,
        summary(run.id, { ...run, step: run.steps, rate: null, left_seconds: null, error: run.error ?? "" }),
      );
      if (run.spec) this.specs.set(run.id, run.spec);
      if (run.curve) this.curves.set(run.id, structuredClone(run.curve));
    }
  }
}
