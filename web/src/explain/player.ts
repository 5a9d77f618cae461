// The buttons that lead through the graph, and the arrow keys that do the same.
import { el } from "../dom";
import { position } from "./steps";
import type { State, Store } from "./store";

interface Move {
  label: string;
  /** the number of steps taken after it */
  to: (taken: number, steps: number) => number;
}

const moves: Move[] = [
  { label: "first", to: () => 1 },
  { label: "back", to: (taken) => taken - 1 },
  { label: "forward", to: (taken) => taken + 1 },
  { label: "last", to: (_, steps) => steps },
];

const keys: Record<string, string> = { ArrowLeft: "back", ArrowRight: "forward" };

export class Player {
  readonly element: HTMLElement;
  private readonly buttons: HTMLButtonElement[];
  private readonly where = el("span", { class: "where" });

  constructor(private readonly store: Store) {
    this.buttons = moves.map((move) => {
      const button = el("button", { type: "button" }, move.label);
      button.addEventListener("click", () => this.take(move));
      return button;
    });
    const group = { class: "controls", role: "group", "aria-label": "Steps" };
    this.element = el(
      "div",
      group,
      ...this.buttons,
      this.where,
      el("span", { class: "small keys" }, "or the keys ← and →"),
    );
    document.addEventListener("keydown", (event) => this.press(event));
    store.listen((state) => this.show(state));
  }

  private take(move: Move): void {
    const { taken, steps } = this.store.state;
    this.store.go(move.to(taken, steps.length));
  }

  /** In a field the arrow keys move the cursor. */
  private press(event: KeyboardEvent): void {
    const move = moves.find(({ label }) => label === keys[event.key]);
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (!move || typing || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.take(move);
  }

  private show({ steps, taken }: State): void {
    this.where.textContent = position(steps, taken);
    this.buttons.forEach((button, index) => {
      const to = moves[index]?.to(taken, steps.length) ?? taken;
      button.disabled = to === taken || to < 0 || to > steps.length;
    });
  }
}
