// One of several at a time: a button that switches it on and a slider that goes through them.
import { el } from "./dom";

interface Choice {
  button: string;
  label: string;
  /** What the slider goes through, in words. */
  values: string[];
  /** Number of the one that is shown; null: all. */
  get: () => number | null;
  set: (index: number | null) => void;
}

export class Stepper {
  readonly button: HTMLButtonElement;
  readonly row: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly name = el("output");

  constructor(private readonly choice: Choice) {
    const { label, values } = choice;
    this.slider = el("input", {
      type: "range",
      min: 0,
      max: values.length - 1,
      step: 1,
      value: 0,
      "aria-label": label,
    });
    this.slider.addEventListener("input", () => {
      this.say(this.slider.valueAsNumber);
      choice.set(this.slider.valueAsNumber);
    });
    this.row = el("div", { class: "slider-row" }, this.slider, this.name);
    this.button = el("button", { type: "button", class: "tool" }, choice.button);
    this.button.addEventListener("click", () => choice.set(choice.get() === null ? 0 : null));
  }

  update(): void {
    const index = this.choice.get();
    this.button.setAttribute("aria-pressed", String(index !== null));
    this.row.hidden = index === null;
    this.say(index ?? 0);
  }

  private say(index: number): void {
    const { values } = this.choice;
    this.slider.value = String(index);
    this.slider.setAttribute("aria-valuetext", values[index] ?? "");
    this.name.textContent = `${index + 1} of ${values.length}: ${values[index] ?? ""}`;
  }
}
