// The report's page for everyone: axe-core finds nothing, light, dark and on a phone; and the keyboard reaches all.
//
// BNLAB_SCREENSHOTS names a folder for pictures of the page, unfolded.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { press, ReportPages, sample } from "./report_pages.mjs";
import { bandChart, fourPanels, ridges } from "./sample_figures.mjs";

const pages = new ReportPages();
const axe = readFileSync(
  createRequire(new URL("../../web/package.json", import.meta.url)).resolve("axe-core/axe.min.js"),
  "utf8",
);
const [run, other] = ["5084c63f7b949e54", "791397a3d445a53e"];

/** The sample with every kind of tool that a figure may have. */
function report() {
  const all = sample();
  [bandChart(), fourPanels(), ridges()].forEach((spec, i) => (all.figures[i].spec = spec));
  return all;
}

/** Opens everything that can be opened. */
async function unfold(page) {
  await page.evaluate(() => window.bnlabRenderAll());
  await page.locator(".compare svg.marks").waitFor();
  await page.evaluate(() => {
    for (const fold of document.querySelectorAll("main details")) fold.open = true;
    for (const button of document.querySelectorAll("button.fold[aria-expanded='false']")) button.click();
    for (const tool of document.querySelectorAll(".tool[aria-pressed='false']"))
      if (tool.textContent.includes("at a time")) tool.click();
  });
  await press(page.locator(`[id="run-${run}"] button.open-run`));
  await page.locator(".run-detail svg.marks").waitFor();
  await page.evaluate(() => window.bnlabRenderAll());
}

/** What axe finds wrong, a line each. */
async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }),
  );
  return found.violations.flatMap(({ id, nodes }) =>
    nodes
      .slice(0, 5)
      .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} (${failureSummary.replace(/\s+/g, " ")})`),
  );
}

const openAll = { hash: `#compare-${run}-${other}` };

describe("the page for everyone", () => {
  before(() => pages.open());
  after(() => pages.close());

  for (const [name, options] of [
    ["light", {}],
    ["dark", { dark: true }],
    ["on a phone", { width: 390 }],
  ]) {
    it(`axe finds nothing wrong, ${name}`, { timeout: 240_000 }, async () => {
      await pages.show(
        report(),
        async (page) => {
          await unfold(page);
          const folder = process.env.BNLAB_SCREENSHOTS;
          if (folder) await page.screenshot({ path: `${folder}/report ${name}.png`, fullPage: true });
          assert.deepEqual(await violations(page), []);
        },
        { ...openAll, ...options },
      );
    });
  }

  it("axe sees what is wrong", async () => {
    const markup = '<img src="data:," width="9" height="9"><p style="color:#ccc;background:#fff">faint</p>';
    await pages.show(
      report(),
      async (page) => {
        const found = (await violations(page)).join("\n");
        assert.match(found, /image-alt/);
        assert.match(found, /color-contrast/);
      },
      { markup, problems: [] },
    );
  });

  it("every control can be reached by the keyboard and shows that it has the focus", async () => {
    await pages.show(report(), async (page) => {
      await page.evaluate(() => window.bnlabRenderAll());
      const figure = page.locator('[id="fig-santurkar-fig1-a"]');
      await figure.locator("summary", { hasText: "arms" }).focus();
      const names = [];
      for (let i = 0; i < 5; ++i) {
        const [name, outline] = await page.evaluate(() => {
          const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
          return [document.activeElement.textContent, `${outlineStyle} ${outlineWidth}`];
        });
        assert.equal(outline, "solid 2px", `of ${name}`);
        names.push(name);
        await page.keyboard.press("Tab");
      }
      assert.deepEqual(names, ["arms", "SVG", "PNG", "CSV", "link"]);
    });
  });
});
