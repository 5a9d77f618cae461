// Every kind of chart that src/bnlab/charts makes, in the report's page: drawn without a warning, light and dark.
//
// BNLAB_CHART_GALLERY names the program (tests/charts/gallery.cpp) that writes the report.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { checkReport, openBrowser } from "./page_check.mjs";

const folder = mkdtempSync(join(tmpdir(), "bnlab-gallery-"));
const file = join(folder, "report.html");
let browser;
let report;

/** What `look` finds in the drawn page. */
async function drawn(colorScheme, look) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
  try {
    await page.goto(pathToFileURL(file).href);
    await page.waitForFunction(() => document.documentElement.dataset.rendered === "true");
    await page.evaluate(() => window.bnlabRenderAll());
    return await look(page);
  } finally {
    await page.close();
  }
}

const lineColors = (page) =>
  page
    .locator("#fig-gallery-band svg .mark-line path")
    .evaluateAll((lines) => lines.map((line) => line.getAttribute("stroke")));

describe("the gallery of charts", () => {
  before(async () => {
    execFileSync(process.env.BNLAB_CHART_GALLERY, [folder]);
    report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
    browser = await openBrowser();
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  for (const dark of [false, true]) {
    it(`every kind is drawn without an error or a warning, ${dark ? "dark" : "light"}`, async () => {
      assert.ok(report.figures.length >= 15);
      assert.deepEqual(await checkReport(browser, file, { dark }), []);
    });
  }

  it("arms have their colours on a light page and their others on a dark one", async () => {
    const spec = report.figures.find((figure) => figure.id === "band").spec;
    const arms = spec.layer[1].encoding.color.scale.range;
    assert.deepEqual(await drawn("light", lineColors), arms);
    assert.deepEqual(
      await drawn("dark", lineColors),
      arms.map((color) => spec.usermeta.dark[color]),
    );
  });

  it("what a chart leaves out stands below it, and a chart without data says so", async () => {
    await drawn("light", async (page) => {
      const caption = await page.locator("#fig-gallery-band-log figcaption").innerText();
      assert.match(caption, /1 value is not finite and is left out\.[^]*1 interval is not finite/);
      const words = await page.locator("#fig-gallery-none svg.marks").textContent();
      assert.match(words, /no data: test accuracy \(%\)/);
    });
  });

  it("a bar, a cell, a point each", async () => {
    const counts = await drawn("light", (page) =>
      page.evaluate(() => {
        const count = (id, marks) => document.querySelectorAll(`#fig-gallery-${id} svg ${marks} path`).length;
        return [count("bars", ".mark-rect.role-mark"), count("heat", ".mark-rect.role-mark"), count("strip", ".mark-symbol.role-mark")];
      }),
    );
    assert.deepEqual(counts, [12, 8 * 60 - 1, 45]);
  });
});
