// The tools of a figure: logarithmic axes, arms, panels, steps, downloads, its address, its words for a screen reader.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { press, ReportPages, sample } from "./report_pages.mjs";
import { bandChart, fourPanels, ridges, steps } from "./sample_figures.mjs";

const pages = new ReportPages();
const id = "fig-santurkar-fig1-a";
const scatter = "fig-santurkar-fig4-c";

/** The sample with another chart as its first figure. */
function withChart(spec) {
  const report = sample();
  report.figures[0].spec = spec;
  return report;
}

/** Looks at the figure when it is drawn. */
async function onFigure(spec, look, options = {}, figure = id) {
  const report = spec ? withChart(spec) : sample();
  await pages.show(
    report,
    async (page) => {
      await page.evaluate(() => window.bnlabRenderAll());
      await look(page.locator(`[id="${figure}"]`), page);
    },
    options,
  );
}

const tool = (figure, name) => figure.getByRole("button", { name, exact: true });
const hashOf = (page) => page.evaluate(() => location.hash);
const lines = (figure) => figure.locator("svg .mark-line.role-mark path[d]").count();
const labels = (figure, axis) =>
  figure
    .locator(`svg .role-axis text`)
    .allTextContents()
    .then((all) => all.join(" ") + axis);

/** Waits until the figure shows what `look` wants. */
async function until(look, wanted) {
  let found;
  for (let i = 0; i < 100; ++i) {
    found = await look();
    if (wanted(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`still ${JSON.stringify(found)}`);
}

async function downloaded(page, button) {
  const [download] = await Promise.all([page.waitForEvent("download"), press(button)]);
  return { name: download.suggestedFilename(), content: readFileSync(await download.path()) };
}

describe("the tools of a figure", () => {
  before(() => pages.open());
  after(() => pages.close());

  it("switch an axis to a logarithmic one and back, and the address says so", async () => {
    await onFigure(bandChart(), async (figure, page) => {
      assert.doesNotMatch(await labels(figure, ""), /\b2 5 10\b/);
      await press(tool(figure, "log x"));
      await until(
        () => tool(figure, "log x").getAttribute("aria-pressed"),
        (it) => it === "true",
      );
      const ticks = await until(
        () => figure.locator("svg .role-axis-grid").first().locator("line").count(),
        (n) => n > 12,
      );
      assert.ok(ticks > 12, "a line at each 1, 2, 3, … 10, 20, …");
      assert.equal(await hashOf(page), `#${id}?x=log`);
      await press(tool(figure, "log x"));
      await until(
        () => figure.locator("svg .role-axis-grid").first().locator("line").count(),
        (n) => n <= 12,
      );
      assert.equal(await hashOf(page), `#${id}?x=linear`);
    });
  });

  it("offer no logarithmic axis where a value is 0, or where the axis is no number", async () => {
    await onFigure(null, async (figure) => {
      assert.equal(await tool(figure, "log x").count(), 0, "the steps begin with 0");
      assert.equal(await tool(figure, "log y").count(), 1);
    });
    await onFigure(
      null,
      async (figure) => assert.equal(await tool(figure, /log/).count(), 0),
      {},
      "fig-santurkar-fig4-b",
    );
    const bars = bandChart();
    bars.layer[0].encoding.y2 = undefined;
    await onFigure(JSON.parse(JSON.stringify(bars)), async (figure) => {
      assert.equal(await tool(figure, "log y").count(), 0, "an area without a second end starts at 0");
    });
  });

  it("hide an arm by its box or by its place in the legend; colours and legend stay", async () => {
    await onFigure(bandChart(), async (figure, page) => {
      assert.equal(await lines(figure), 2);
      await press(figure.locator("summary", { hasText: "arms" }));
      await figure.getByLabel("no BN", { exact: true }).press("Space");
      await until(
        () => lines(figure),
        (n) => n === 1,
      );
      assert.equal(await figure.locator("svg .mark-line.role-mark path").first().getAttribute("stroke"), "#cb3907");
      assert.deepEqual(await figure.locator("svg .role-legend-label text").allTextContents(), ["no BN (hidden)", "BN"]);
      assert.equal(decodeURIComponent(await hashOf(page)), `#${id}?hide=arm:no+BN`);
      assert.ok(await figure.getByLabel("BN", { exact: true }).isDisabled(), "the last one stays");
      await figure.locator("svg .role-legend-label text").first().click();
      await until(
        () => lines(figure),
        (n) => n === 2,
      );
      assert.ok(await figure.getByLabel("no BN", { exact: true }).isChecked());
    });
  });

  it("show one panel at a time, chosen by a slider", async () => {
    await onFigure(fourPanels(), async (figure, page) => {
      assert.equal(await lines(figure), 8);
      await press(tool(figure, "one panel at a time"));
      await until(
        () => lines(figure),
        (n) => n === 2,
      );
      const slider = figure.getByRole("slider", { name: "Panel" });
      await slider.press("ArrowRight");
      await slider.press("ArrowRight");
      await until(
        () => figure.locator("svg .role-title-text").allTextContents(),
        (it) => it.join() === "layer #3",
      );
      assert.equal(await slider.getAttribute("aria-valuetext"), "layer #3");
      assert.equal(await hashOf(page), `#${id}?panel=3`);
      const [width, room] = await figure.evaluate((it) =>
        [it.querySelector("svg.marks"), it.querySelector(".scroll")].map((one) => one.getBoundingClientRect().width),
      );
      assert.ok(width > 0.95 * room, `drawn ${width} wide where there are ${room}`);
      await press(tool(figure, "one panel at a time"));
      await until(
        () => lines(figure),
        (n) => n === 8,
      );
    });
  });

  it("show the distributions of one step before the others", async () => {
    await onFigure(ridges(), async (figure) => {
      const faint = () => figure.locator("svg .mark-area.role-mark path[fill-opacity='0.08']").count();
      assert.equal(await faint(), 0);
      await press(tool(figure, "one step at a time"));
      await until(faint, (n) => n === 2 * (steps.length - 1));
      await figure.getByRole("slider", { name: "Training step" }).press("End");
      await until(
        () => figure.locator("output").last().textContent(),
        (it) => it === "5 of 5: step 200",
      );
      assert.equal(await tool(figure, "one panel at a time").count(), 0, "two panels need no slider");
    });
  });

  it("an address sets the figure: panel, axis, arms, the chart's own slider", async () => {
    const hash = `#${id}?panel=2&y=log&hide=arm%3ABN`;
    await onFigure(
      fourPanels(),
      async (figure) => {
        assert.equal(await lines(figure), 1);
        assert.deepEqual(await figure.locator("svg .role-title-text").allTextContents(), ["layer #2"]);
        assert.equal(await tool(figure, "log y").getAttribute("aria-pressed"), "true");
        assert.ok(await figure.isVisible());
      },
      { hash },
    );
    await onFigure(
      null,
      async (figure, page) => {
        assert.equal(await figure.locator("input[name='until']").inputValue(), "100");
        await figure.locator("input[name='until']").press("ArrowRight");
        await until(
          () => hashOf(page),
          (it) => it === `#${scatter}?slider.until=120`,
        );
      },
      { hash: `#${scatter}?slider.until=100` },
      scatter,
    );
  });

  it("an address opens the fold around its figure", async () => {
    await pages.show(
      sample(),
      async (page) => {
        assert.ok(await page.locator(`[id="${scatter}"]`).isVisible());
        await page.evaluate(() => (location.hash = "#fig-santurkar-fig1-b?y=linear"));
        await page.locator("#fig-santurkar-fig1-b svg.marks").waitFor();
      },
      { hash: `#${scatter}` },
    );
  });

  it("download the figure as SVG and PNG, and its data as CSV", async () => {
    await onFigure(bandChart(), async (figure, page) => {
      const svg = await downloaded(page, tool(figure, "SVG"));
      assert.equal(svg.name, "santurkar-fig1-a.svg");
      assert.match(svg.content.toString(), /^<svg[^]*training step[^]*<\/svg>$/);
      const png = await downloaded(page, tool(figure, "PNG"));
      assert.equal(png.name, "santurkar-fig1-a.png");
      assert.deepEqual([...png.content.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
      assert.ok(png.content.length > 5000);
      const csv = await downloaded(page, tool(figure, "CSV"));
      assert.equal(csv.name, "santurkar-fig1-a.csv");
      const wanted = ["arm,x,mean,low,high", "no BN,1,1,1,2.5", "no BN,10,10,10,25"];
      assert.deepEqual(csv.content.toString().split("\n").slice(0, 3), wanted);
    });
  });

  it("the data of several panels stand in one file, with awkward words and all digits", async () => {
    const chart = fourPanels();
    chart.concat[0].title = 'a "b", c';
    chart.concat[0].data.values[0].mean = 0.1 + 0.2;
    await onFigure(chart, async (figure, page) => {
      const { content } = await downloaded(page, tool(figure, "CSV"));
      const rows = content.toString().trim().split("\n");
      assert.equal(rows[0], "panel,layer,arm,x,mean,low,high");
      assert.equal(rows[1], '"a ""b"", c",1,no BN,1,0.30000000000000004,1,2.5');
      assert.equal(rows.length, 1 + 4 * 6);
    });
  });

  it("copy the address of the figure as it is set", async () => {
    await onFigure(bandChart(), async (figure, page) => {
      await page.evaluate(() => {
        navigator.clipboard.writeText = async (text) => void (window.copied = text);
      });
      await press(tool(figure, "log y"));
      await press(tool(figure, "link"));
      assert.match(await page.evaluate(() => window.copied), new RegExp(`^file:.*#${id}\\?y=log$`));
    });
  });

  it("a figure is one picture to a screen reader, with words for what it shows", async () => {
    await onFigure(bandChart(), async (figure) => {
      const pictures = figure.getByRole("img");
      assert.equal(await pictures.count(), 1);
      const words = await pictures.getAttribute("aria-label");
      assert.match(words, /^Training accuracy with and without BN\. Batch accuracy over the first 400 steps/);
      assert.match(words, /Chart of areas and lines\. across: training step\. up: loss\. arms: no BN; BN\.$/);
    });
    await onFigure(fourPanels(), async (figure) => {
      const words = await figure.getByRole("img").getAttribute("aria-label");
      assert.match(words, /in 4 panels: layer #1; layer #2; layer #3; layer #4/);
    });
  });

  it("the page makes no function from text", async () => {
    // Within the page: what the debugger evaluates may do more.
    const markup = `<script>
      try { window.made = Function("return 1")(); } catch (error) { window.made = error.name; }
    </script>`;
    await onFigure(
      bandChart(),
      async (figure, page) => {
        assert.equal(await page.evaluate(() => window.made), "EvalError");
        assert.equal(await lines(figure), 2);
      },
      { problems: [], markup },
    );
  });
});
