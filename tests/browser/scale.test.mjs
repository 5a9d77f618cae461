// A report of 1,000 runs and 300 figures: it opens soon, is not too large, and draws only what is looked at.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { ReportPages, sample } from "./report_pages.mjs";

const pages = new ReportPages();
const goal = 2000; // milliseconds, on a machine that does nothing else
const mostBytes = 50e6;

/** 75 experiments of 4 figures, with curves of 60 points for 1,000 runs. */
function large() {
  const report = sample();
  const names = Array.from({ length: 75 }, (_, i) => `experiment-${i}`);
  const figures = report.figures.slice(0, 4);
  const [first] = report.runs;
  const runs = Array.from({ length: 1000 }, (_, i) => ({ ...first, id: i.toString(16).padStart(16, "0") }));
  return {
    ...report,
    experiments: names.map((name) => ({ ...report.experiments[0], name })),
    claims: names.flatMap((experiment, i) =>
      report.claims
        .slice(0, 4)
        .map((claim) => ({ ...claim, experiment, runs: runs.slice(13 * i, 13 * i + 13).map(({ id }) => id) })),
    ),
    figures: names.flatMap((experiment) => figures.map((figure, i) => ({ ...figure, id: `f${i}`, experiment }))),
    runs,
  };
}

/** How long this machine takes now for a fixed piece of work that takes 200 ms on one that does nothing else. */
function slowness(page) {
  return page.evaluate(() => {
    const start = performance.now();
    let sum = 0;
    for (let i = 0; i < 4e5; ++i) sum += document.createElement("p").tagName.length;
    return (performance.now() - start) / 200 + sum * 0;
  });
}

describe("a large report", () => {
  before(() => pages.open());
  after(() => pages.close());

  it("opens soon, stays small, and scrolls without waiting for figures", { timeout: 240_000 }, async () => {
    const report = large();
    assert.equal(report.figures.length, 300);
    const bytes = statSync(pages.file(report)).size;
    assert.ok(bytes < mostBytes, `${bytes} bytes`);
    await pages.show(report, async (page) => {
      const opened = await page.evaluate(() => performance.now());
      const slow = Math.max(1, await slowness(page));
      console.log(
        `1000 runs, 300 figures, ${(bytes / 1e6).toFixed(1)} MB: open after ${Math.round(opened)} ms, ` +
          `machine slower by ${slow.toFixed(1)}`,
      );
      assert.ok(opened < 2 * goal * slow, `open after ${opened} ms on a machine slower by ${slow}`);
      assert.ok((await page.locator("figure svg.marks").count()) < 10, "figures far away are not drawn");
      // A figure that comes into view is drawn; what was scrolled past in a hurry does not hold it up for long.
      await page.locator("article").nth(60).scrollIntoViewIfNeeded();
      await page
        .locator("article")
        .nth(60)
        .locator("svg.marks")
        .first()
        .waitFor({ timeout: 20_000 * slow });
      assert.ok((await page.locator("figure svg.marks").count()) < 40);
    });
  });
});
