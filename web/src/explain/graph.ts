// The graph of the computation: a box a node with its formula and, of the chosen cell, value and gradient; blue arrows
// forward, red ones for the gradients. Drawn anew where there are other nodes, else only marked.
import { el, svg } from "../dom";
import { box, corner, edgeBetween, pile, size } from "./layout";
import { contribution, short } from "./numbers";
import { reached, type Reached } from "./steps";
import type { State, Store } from "./store";
import { at, isTable, type Trace, type TraceNode } from "./trace";

interface DrawnEdge {
  from: string;
  to: string;
  forward: SVGElement;
  gradient: SVGElement | null;
  label: SVGTextElement | null;
}

interface DrawnNode {
  element: SVGElement;
  value: SVGElement;
  gradient: SVGElement;
}

function arrowHead(kind: string): SVGElement {
  const marker = {
    id: `arrow-${kind}`,
    viewBox: "0 0 8 8",
    refX: 7,
    refY: 4,
    orient: "auto",
    markerWidth: 8,
    markerHeight: 8,
  };
  return svg(
    "marker",
    { ...marker, markerUnits: "userSpaceOnUse" },
    svg("path", { class: `head ${kind}`, d: "M 0 0 L 8 4 L 0 8 Z" }),
  );
}

function arrow(kind: "value" | "gradient", path: string): SVGElement {
  return svg("path", { class: `edge ${kind}`, d: path, "marker-end": `url(#arrow-${kind})` });
}

function drawEdge(trace: Trace, from: string, to: TraceNode): DrawnEdge {
  const edge = edgeBetween(from, to.name);
  const flows = trace.nodes.find((it) => it.name === from)?.gradient !== null && to.gradient !== null;
  const labelled = contribution(trace, from, to.name, 0, 0) !== null;
  return {
    from,
    to: to.name,
    forward: arrow("value", edge.forward),
    gradient: flows ? arrow("gradient", edge.gradient) : null,
    label: labelled ? svg("text", { class: "along", ...edge.label }) : null,
  };
}

function rightSide(formula: string): string {
  return formula.split(" = ")[1] ?? formula;
}

/** A number as it is shown, with a title that has all its digits. */
function inFull(value: number): [string, SVGTitleElement] {
  return [short(value), svg("title", {}, String(value))];
}

/** What there is one of in each row looks like a pile of sheets. */
function drawNode(node: TraceNode, order: number): DrawnNode {
  const { x, y } = corner(node.name);
  const center = x + box.width / 2;
  const line = (name: string, dy: number) =>
    svg("text", { class: name, x: center, y: y + dy, "text-anchor": "middle" });
  const [title, formula, value, gradient] = [
    line("name", 19),
    line("formula", 35),
    line("value", 57),
    line("gradient", 75),
  ];
  title.classList.toggle("long", node.name.length > 10);
  title.append(svg("tspan", { class: "order" }, String(order)), ` ${node.name}`);
  formula.append(rightSide(node.formula));
  const sheet = (shift: number) =>
    svg("rect", { x: x + shift, y: y - shift, width: box.width, height: box.height, rx: 6 });
  const sheets = isTable(node.value) ? [sheet(2 * pile), sheet(pile), sheet(0)] : [sheet(0)];
  const attributes = { class: "node", role: "button", tabindex: 0, "data-node": node.name };
  return { element: svg("g", attributes, ...sheets, title, formula, value, gradient), value, gradient };
}

export class Graph {
  readonly element: HTMLElement;
  private readonly drawing = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "group" });
  private nodes = new Map<string, DrawnNode>();
  private edges: DrawnEdge[] = [];
  private drawn = "";
  private last = "";

  constructor(private readonly store: Store) {
    this.drawing.setAttribute("aria-label", "The graph of the computation");
    this.element = el("div", { class: "graph scroll" }, this.drawing);
    this.drawing.addEventListener("click", (event) => this.pick(event));
    this.drawing.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.pick(event);
    });
    store.listen((state) => this.show(state));
  }

  private pick(event: Event): void {
    const node = event.target instanceof Element ? event.target.closest<SVGElement>("[data-node]") : null;
    if (node?.dataset.node) this.store.pick(node.dataset.node);
  }

  private draw(trace: Trace): void {
    this.drawn = trace.mode;
    this.nodes = new Map(trace.nodes.map((node, index) => [node.name, drawNode(node, index + 1)]));
    this.edges = trace.nodes.flatMap((node) => node.inputs.map((input) => drawEdge(trace, input, node)));
    const lines = this.edges.flatMap(({ forward, gradient }) => (gradient ? [forward, gradient] : [forward]));
    this.drawing.replaceChildren(
      svg("defs", {}, arrowHead("value"), arrowHead("gradient")),
      ...lines,
      ...this.edges.flatMap(({ label }) => (label ? [label] : [])),
      ...[...this.nodes.values()].map(({ element }) => element),
    );
  }

  private show(state: State): void {
    const { trace, steps, taken } = state;
    if (this.drawn !== trace.mode) this.draw(trace);
    const there = reached(steps, taken);
    for (const node of trace.nodes) this.showNode(state, node, there);
    for (const edge of this.edges) this.showEdge(state, edge, there);
    this.follow(state);
  }

  private showNode({ steps, taken, picked, row, column }: State, node: TraceNode, there: Reached): void {
    const drawn = this.nodes.get(node.name);
    if (!drawn) return;
    const value = at(node.value, row, column);
    const gradient = node.gradient ? at(node.gradient, row, column) : null;
    const step = steps[taken - 1];
    const current = step?.node === node.name;
    drawn.value.replaceChildren(...inFull(value));
    drawn.gradient.replaceChildren(...(gradient === null ? ["no gradient"] : inFull(gradient)));
    drawn.gradient.classList.toggle("none", gradient === null);
    drawn.gradient.classList.toggle("later", gradient !== null && !there.gradients.has(node.name));
    drawn.element.classList.toggle("later", !there.values.has(node.name));
    drawn.element.classList.toggle("current", current && !step?.backward);
    drawn.element.classList.toggle("current-gradient", current && step?.backward === true);
    drawn.element.classList.toggle("picked", picked === node.name);
    drawn.element.setAttribute("aria-pressed", String(picked ? picked === node.name : current));
    const back = gradient === null ? "no gradient" : `gradient ${short(gradient)}`;
    drawn.element.setAttribute("aria-label", `${node.name}: ${node.meaning}, ${short(value)}, ${back}`);
  }

  private showEdge({ trace, steps, taken, row, column }: State, edge: DrawnEdge, there: Reached): void {
    const step = steps[taken - 1];
    const isCurrent = (backward: boolean) =>
      step?.backward === backward && step.node === (backward ? edge.from : edge.to);
    edge.forward.classList.toggle("later", !there.values.has(edge.to));
    edge.forward.classList.toggle("current", isCurrent(false));
    edge.gradient?.classList.toggle("later", !there.gradients.has(edge.from));
    edge.gradient?.classList.toggle("current", isCurrent(true));
    const along = contribution(trace, edge.from, edge.to, row, column);
    if (!edge.label || !along) return;
    const [formula, value] = along;
    const start = edge.label.getAttribute("x") ?? "0";
    edge.label.classList.toggle("later", !there.gradients.has(edge.from));
    edge.label.replaceChildren(
      svg("tspan", {}, formula),
      svg("tspan", { x: start, dy: "1.25em" }, "= ", ...inFull(value)),
    );
  }

  /** Where the graph is wider than the window, the current node is brought into sight. */
  private follow({ steps, taken, picked }: State): void {
    const name = picked ?? steps[taken - 1]?.node ?? "";
    if (name === this.last) return;
    this.last = name;
    if (name === "") return;
    const scale = this.drawing.getBoundingClientRect().width / size.width;
    const center = (corner(name).x + box.width / 2) * scale;
    this.element.scrollTo({ left: center - this.element.clientWidth / 2 });
  }
}
