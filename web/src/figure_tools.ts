// The quiet row of tools below a figure: logarithmic axes, arms and seeds, one panel at a time, and what can be taken
// away (SVG, PNG, the data, a link). It is made when the figure is drawn, for it takes a look at the data.
import { fullAddress, showInAddress } from "./address";
import { armGroups, hiddenKey, type ArmGroup } from "./arms";
import { axisScale, type Channel } from "./axis_scale";
import { onePanel, panelsOf, panelTitle, type Spec } from "./chart_parts";
import { copyText } from "./copy";
import { csvOf } from "./csv";
import { anchor, el } from "./dom";
import { grouped } from "./format";
import { download, downloadText, fromDataAddress } from "./download";
import type { FigureView } from "./figure";
import { channels, toSettings } from "./figure_state";
import { Stepper } from "./stepper";
import { ridgeSteps } from "./ridges";

const fewestPanels = 3; // which are worth to be stepped through

function tool(words: string, label: string, act: (button: HTMLButtonElement) => void): HTMLButtonElement {
  const button = el("button", { type: "button", class: "tool", title: label }, words);
  button.addEventListener("click", () => act(button));
  return button;
}

export class FigureTools {
  readonly element: HTMLElement;
  /** Sliders, which stand above the figure, where its height cannot move them. */
  readonly sliders = el("div", { class: "sliders" });
  private readonly axes = new Map<Channel, HTMLButtonElement>();
  private readonly boxes: { field: string; name: string; box: HTMLInputElement }[] = [];
  private readonly steppers: Stepper[] = [];
  private built = false;

  constructor(
    private readonly view: FigureView,
    private readonly label: string,
  ) {
    this.element = el("div", { class: "tools", role: "group", "aria-label": `Tools of the figure: ${label}` });
  }

  /** After each drawing: the tools say how the figure is set. */
  update(): void {
    if (!this.built) this.build(this.view.figure.spec);
    const { state } = this.view;
    const spec = state.panel === null ? this.view.figure.spec : onePanel(this.view.figure.spec, state.panel);
    for (const [channel, button] of this.axes) {
      const scale = state[channel] ?? axisScale(spec, channel);
      button.hidden = scale === null;
      button.setAttribute("aria-pressed", scale === "mixed" ? "mixed" : String(scale === "log"));
    }
    for (const { field, name, box } of this.boxes) box.checked = !state.hidden.includes(hiddenKey(field, name));
    const left = this.boxes.filter(({ box }) => box.checked);
    // Who hides the last one sees nothing; of each group one stays.
    for (const { field, box } of this.boxes) {
      box.disabled = box.checked && left.filter((it) => it.field === field).length === 1;
    }
    for (const stepper of this.steppers) stepper.update();
  }

  private build(spec: Spec): void {
    this.built = true;
    const groups = armGroups(spec);
    this.element.append(
      ...channels.flatMap((channel) => this.axis(spec, channel)),
      ...(groups.length > 0 ? [this.arms(groups)] : []),
      ...this.panels(spec),
      ...this.steps(spec),
      el("span", { class: "take" }, ...this.downloads(), this.link()),
    );
  }

  private axis(spec: Spec, channel: Channel): HTMLElement[] {
    const inPanels = panelsOf(spec).some((panel) => axisScale(panel, channel) !== null);
    if (axisScale(spec, channel) === null && !inPanels) return [];
    const name = channel === "x" ? "horizontal" : "vertical";
    const button = tool(`log ${channel}`, `Logarithmic ${name} axis`, () => {
      const pressed = button.getAttribute("aria-pressed");
      void this.view.change({ [channel]: pressed === "true" ? "linear" : "log" });
    });
    this.axes.set(channel, button);
    return [button];
  }

  private arms(groups: ArmGroup[]): HTMLElement {
    const fold = el(
      "details",
      { class: "arms" },
      el("summary", { class: "tool" }, groups.map((it) => it.title.toLowerCase()).join(", ")),
    );
    for (const { field, title, names, colors } of groups) {
      const labels = names.map((name) => {
        const box = el("input", { type: "checkbox", checked: true });
        box.addEventListener("change", () => this.view.toggle(field, name));
        this.boxes.push({ field, name, box });
        const color = colors.get(name);
        const swatch = color ? el("span", { class: "swatch", style: `background: ${color}` }) : null;
        return el("label", {}, box, swatch, field === "seed" ? `seed ${name}` : name || "(no name)");
      });
      fold.append(el("fieldset", {}, el("legend", {}, title), ...labels));
    }
    return fold;
  }

  private panels(spec: Spec): HTMLElement[] {
    const titles = panelsOf(spec).map(panelTitle);
    if (titles.length < fewestPanels) return [];
    return this.stepper({
      button: "one panel at a time",
      label: "Panel",
      values: titles,
      get: () => this.view.state.panel,
      set: (panel) => void this.view.change({ panel }),
    });
  }

  private steps(spec: Spec): HTMLElement[] {
    const steps = ridgeSteps(spec);
    if (steps.length === 0) return [];
    return this.stepper({
      button: "one step at a time",
      label: "Training step",
      values: steps.map((step) => `step ${grouped(step)}`),
      get: () => (this.view.state.step === null ? null : steps.indexOf(this.view.state.step)),
      set: (index) => void this.view.change({ step: index === null ? null : steps[index]! }),
    });
  }

  private stepper(choice: ConstructorParameters<typeof Stepper>[0]): HTMLElement[] {
    const stepper = new Stepper(choice);
    this.steppers.push(stepper);
    this.sliders.append(stepper.row);
    return [stepper.button];
  }

  private downloads(): HTMLElement[] {
    const { figure } = this.view;
    const name = anchor(figure.experiment, figure.id);
    return [
      tool("SVG", "Download the figure as SVG", async () => {
        const svg = await this.view.drawn?.result?.view.toSVG();
        if (svg) downloadText(`${name}.svg`, svg, "image/svg+xml");
      }),
      tool("PNG", "Download the figure as PNG", async () => {
        const image = await this.view.drawn?.result?.view.toImageURL("png", 2);
        if (image) download(`${name}.png`, fromDataAddress(image));
      }),
      tool("CSV", "Download the figure's data as comma-separated values", () =>
        downloadText(`${name}.csv`, csvOf(this.view.figure.spec), "text/csv"),
      ),
    ];
  }

  private link(): HTMLElement {
    return tool("link", `Copy the address of this figure as it is set now: ${this.label}`, (button) => {
      const { address, state } = this.view;
      showInAddress(address, toSettings(state));
      void copyText(fullAddress(address, toSettings(state)), button);
    });
  }
}
