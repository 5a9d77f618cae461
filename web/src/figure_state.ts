// What a reader has changed in a figure, and its form in the address.
import { axisScale, withScale, type Channel, type ScaleType } from "./axis_scale";
import { withoutArms } from "./arms";
import { onePanel, panelsOf, type Spec } from "./chart_parts";
import { ridgeSteps, withStep } from "./ridges";

export interface FigureState {
  /** Number of the panel that is shown alone; null: all of them. */
  panel: number | null;
  /** Training step whose distributions are shown before the others. */
  step: number | null;
  x: ScaleType | null;
  y: ScaleType | null;
  /** What is hidden, as "field:name". */
  hidden: string[];
  /** Values of the chart's own sliders. */
  sliders: Record<string, number>;
}

export const channels: readonly Channel[] = ["x", "y"];

export function untouched(): FigureState {
  return { panel: null, step: null, x: null, y: null, hidden: [], sliders: {} };
}

export function toSettings(state: FigureState): URLSearchParams {
  const settings = new URLSearchParams();
  if (state.panel !== null) settings.set("panel", String(state.panel + 1));
  if (state.step !== null) settings.set("step", String(state.step));
  for (const channel of channels) if (state[channel] !== null) settings.set(channel, state[channel]!);
  for (const name of state.hidden) settings.append("hide", name);
  for (const [name, value] of Object.entries(state.sliders)) settings.set(`slider.${name}`, String(value));
  return settings;
}

function scaleType(text: string | null): ScaleType | null {
  return text === "log" || text === "linear" ? text : null;
}

/** What the settings ask for, as far as this chart has it. */
export function fromSettings(settings: URLSearchParams, spec: Spec): FigureState {
  const panel = Number(settings.get("panel") ?? 0);
  const state = untouched();
  if (Number.isInteger(panel) && panel >= 1 && panel <= panelsOf(spec).length) state.panel = panel - 1;
  const step = settings.get("step");
  if (step !== null && ridgeSteps(spec).includes(Number(step))) state.step = Number(step);
  for (const channel of channels) {
    if (axisScale(spec, channel) !== null) state[channel] = scaleType(settings.get(channel));
  }
  state.hidden = settings.getAll("hide");
  for (const [name, value] of settings) {
    if (name.startsWith("slider.") && Number.isFinite(Number(value))) state.sliders[name.slice(7)] = Number(value);
  }
  return state;
}

function withSliders(spec: Spec, sliders: Record<string, number>): Spec {
  if (!Array.isArray(spec.params) || Object.keys(sliders).length === 0) return spec;
  const params = spec.params.map((param: Spec) => {
    const value = sliders[String(param.name)];
    return value === undefined ? param : { ...param, value };
  });
  return { ...spec, params };
}

/** The chart as the reader wants it. */
export function shownSpec(spec: Spec, state: FigureState): Spec {
  let shown = withSliders(spec, state.sliders);
  if (state.panel !== null) shown = onePanel(shown, state.panel);
  if (state.step !== null) shown = withStep(shown, state.step);
  shown = withoutArms(shown, state.hidden);
  for (const channel of channels) {
    const type = state[channel];
    if (type !== null && axisScale(shown, channel) !== null) shown = withScale(shown, channel, type);
  }
  return shown;
}
