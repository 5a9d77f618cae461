// Charts as src/bnlab/charts makes them, small.

const arms = ["no BN", "BN"];

function armColor(legend = { orient: "bottom" }) {
  return { field: "arm", type: "nominal", scale: { domain: arms, range: ["#2b4577", "#cb3907"] }, legend };
}

function band(title, scale) {
  const values = arms.flatMap((arm, i) =>
    [1, 10, 100].map((x) => ({ arm, x, mean: scale * (i + 1) * x, low: scale * x, high: 2.5 * scale * (i + 1) * x })),
  );
  const at = (field, name) => ({ field, type: "quantitative", title: name, scale: { type: "linear", zero: false } });
  return {
    title,
    width: 330,
    height: 240,
    data: { values },
    encoding: { x: at("x", "training step") },
    layer: [
      {
        mark: { type: "area", opacity: 0.18 },
        encoding: { y: at("low", "loss"), y2: { field: "high" }, color: armColor() },
      },
      { mark: "line", encoding: { y: at("mean", "loss"), color: armColor() } },
    ],
  };
}

export const bandChart = () => ({ ...band("", 1), title: undefined, width: "container", height: 260 });

export const fourPanels = () => ({ columns: 2, concat: [1, 2, 3, 4].map((n) => band(`layer #${n}`, n)) });

export const steps = [0, 50, 100, 150, 200];

/** Distributions over time: a layer a step, as ridges.cpp makes them. */
export function ridges() {
  const layer = steps.map((step) => ({
    data: { values: [-1, 0, 1].map((x) => ({ x, base: step, top: step - 60 * (x === 0) })) },
    mark: { type: "area", line: { color: "#ffffff", strokeWidth: 0.8 }, fillOpacity: 0.88, color: "#2b4577" },
    encoding: {
      x: { field: "x", type: "quantitative", title: "activation", scale: { domain: [-1, 1] } },
      y: {
        field: "top",
        type: "quantitative",
        title: "training step",
        scale: { reverse: true, zero: false, nice: false },
        axis: { grid: false, values: steps },
      },
      y2: { field: "base" },
    },
  }));
  return { columns: 3, concat: [1, 6].map((n) => ({ title: `layer #${n}`, width: 260, height: 300, layer })) };
}
