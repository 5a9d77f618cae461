// The report's page in a browser: what it shows of a report, and that page_check.mjs sees what may go wrong.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { checkReport } from "./page_check.mjs";
import { press, ReportPages, sample } from "./report_pages.mjs";

const pages = new ReportPages();
const pageFile = (report, markup) => pages.file(report, markup);
const withPage = (report, look, hash = "", width = 1280) => pages.show(report, look, { hash, width, problems: [] });

async function assertProblem(report, pattern, markup = "") {
  const problems = await checkReport(pages.browser, pageFile(report, markup));
  assert.ok(
    problems.some((problem) => pattern.test(problem)),
    `no ${pattern} in ${JSON.stringify(problems)}`,
  );
}

/** Unfolds the secondary claims of every experiment in the table of claims. */
async function unfold(page) {
  for (const button of await page.locator("button.fold").all()) await press(button);
}

const drawnFigures = (page) => page.locator("figure svg.marks").count();

/** The sample's experiments under many names, and `runs` runs. */
function largeReport(experiments, runs) {
  const report = sample();
  const under = (name) => (entry) => ({ ...entry, experiment: name });
  const names = Array.from({ length: experiments }, (_, i) => `experiment-${i}`);
  const ofSample = (list) => list.filter((entry) => entry.experiment === "santurkar-fig1");
  return {
    ...report,
    experiments: names.map((name) => ({ ...report.experiments[0], name })),
    claims: names.flatMap((name) => ofSample(report.claims).map(under(name))),
    figures: names.flatMap((name) => ofSample(report.figures).map(under(name))),
    runs: Array.from({ length: runs }, (_, i) => ({ ...report.runs[i % report.runs.length], id: `run${i}` })),
  };
}

describe("the report's page", () => {
  before(() => pages.open());
  after(() => pages.close());

  it("the sample report is in order, light and dark", async () => {
    assert.deepEqual(await checkReport(pages.browser, pageFile(sample())), []);
    assert.deepEqual(await checkReport(pages.browser, pageFile(sample()), { dark: true, width: 390 }), []);
  });

  it("puts two panels below each other on a phone, and beside each other elsewhere", async () => {
    const report = sample();
    const figure = report.figures.find((it) => it.experiment === "santurkar-fig4" && it.id === "b");
    const panel = { ...figure.spec, width: 330, height: 240 };
    figure.spec = { columns: 2, concat: [panel, panel] };
    for (const width of [390, 1280]) {
      await withPage(report, async (page) => {
        await page.evaluate(() => window.bnlabRenderAll());
        const [, , wide, high] = await page.evaluate(() =>
          document.querySelector("#fig-santurkar-fig4-b svg.marks").getAttribute("viewBox").split(" ").map(Number),
        );
        assert.equal(wide > high, width === 1280, `on ${width} pixels the drawing is ${wide} by ${high}`);
        const clipped = await page.evaluate(() => {
          const scroll = document.querySelector("#fig-santurkar-fig4-b .scroll");
          return scroll.scrollWidth - scroll.clientWidth;
        });
        assert.ok(clipped <= 0, `on ${width} pixels ${clipped} of the figure's are hidden`);
      }, "", width);
    }
  });

  it("shows legends whole on a phone, and two entries a row elsewhere", async () => {
    const report = sample();
    const figure = report.figures.find((it) => it.experiment === "santurkar-fig4" && it.id === "b");
    const arms = ["no BN, its best rate", "BN, the same rate", "BN, three times that rate", "BN, its best rate"];
    figure.spec = {
      data: { values: arms.flatMap((arm, i) => [0, 1].map((x) => ({ x, y: i, arm }))) },
      width: "container",
      mark: "line",
      encoding: {
        x: { field: "x", type: "quantitative" },
        y: { field: "y", type: "quantitative" },
        color: { field: "arm", type: "nominal", legend: { orient: "bottom", columns: 2, labelLimit: 320, title: null } },
      },
    };
    for (const width of [390, 1280]) {
      await withPage(report, async (page) => {
        await page.evaluate(() => window.bnlabRenderAll());
        const { end, labels } = await page.evaluate(() => {
          const svg = document.querySelector("#fig-santurkar-fig4-b svg.marks");
          const boxes = [...svg.querySelectorAll(".role-legend-label text")].map((it) => it.getBoundingClientRect());
          return { end: svg.getBoundingClientRect().right, labels: boxes.map(({ right, top }) => ({ right, top })) };
        });
        assert.equal(labels.length, arms.length);
        for (const { right } of labels) assert.ok(right <= end, `on ${width} pixels a legend is cut at ${end} of ${right}`);
        assert.equal(new Set(labels.map(({ top }) => Math.round(top))).size, width === 390 ? 4 : 2);
      }, "", width);
    }
  });

  it("an empty report is in order", async () => {
    assert.deepEqual(await checkReport(pages.browser, pageFile({ schema_version: 2 })), []);
  });

  it("nulls and unknown fields are in order", async () => {
    const report = sample();
    for (const claim of report.claims) {
      Object.assign(claim, {
        effect: null,
        interval: null,
        paper_value: null,
        threshold: [null],
        per_seed: [null],
        later: {},
      });
    }
    for (const run of report.runs) Object.assign(run, { steps: null, seconds: null, threads: null });
    assert.deepEqual(await checkReport(pages.browser, pageFile(report)), []);
  });

  it("the check sees a figure that cannot be drawn", async () => {
    const report = sample();
    report.figures[1].spec = { data: { values: [{ a: 1 }] }, mark: "no-such-mark" };
    await assertProblem(report, /fig-santurkar-fig1-b: This figure cannot be drawn/);
  });

  it("the check sees a figure without marks", async () => {
    const report = sample();
    report.figures[3].spec.data.values = [];
    await assertProblem(report, /fig-santurkar-fig4-a: the figure shows no mark/);
  });

  it("the check sees a request, which the page does not let through", async () => {
    const report = sample();
    report.figures[1].spec.data = { url: "http://127.0.0.1:9/data.json" };
    await assertProblem(report, /127\.0\.0\.1:9/);
  });

  it("the check sees a claim that is not shown", async () => {
    const hide = `<script type="module">
      const remove = () => document.querySelector("tr.claim")?.remove();
      new MutationObserver(remove).observe(document.documentElement, { attributes: true });
    </script>`;
    await assertProblem(sample(), /the claims table has 7 claims, the report 8/, hide);
  });

  it("the check sees console errors, page errors and broken words", async () => {
    await assertProblem(sample(), /console error: oh/, "<script>console.error('oh')</script>");
    await assertProblem(sample(), /console warning: oh/, "<script>console.warn('oh')</script>");
    await assertProblem(sample(), /error in the page: oh/, "<script>throw new Error('oh')</script>");
    const report = sample();
    report.claims[0].statistic = "a mean of NaN";
    await assertProblem(report, /the page shows: .*a mean of NaN/);
  });

  it("markup in data is shown as text", async () => {
    const report = sample();
    const hostile = '</script><img src="x" onerror="window.hit = 1"><b>bold</b>';
    report.claims[0].sentence = hostile;
    report.experiments[0].title = hostile;
    report.figures[0].caption = hostile;
    report.runs[0].title = hostile;
    assert.deepEqual(await checkReport(pages.browser, pageFile(report)), []);
    await withPage(report, async (page) => {
      assert.equal(await page.locator("img, b").count(), 0);
      assert.equal(await page.evaluate(() => window.hit ?? null), null);
      assert.ok((await page.locator("tr.claim").first().innerText()).includes(hostile));
    });
  });

  it("the tour comes before the table of claims, which has numbers, verdicts and reasons", async () => {
    await withPage(sample(), async (page) => {
      const text = await page.locator("main").innerText();
      assert.ok(text.indexOf("What it brings") < text.indexOf("Why it works"));
      assert.ok(text.indexOf("Why it works") < text.indexOf("All claims"));
      const row = (id) => page.locator(`[id="claim-santurkar-fig1-${id}"]`).innerText();
      assert.match(await row("faster-at-0.1"), /33\.4 percentage points\s+95 %: 28\.9 to 37\.9/);
      await unfold(page);
      assert.match(await row("generalizes-better"), /9\.9[^]*0\.7 to 19\.0[^]*10\.3[^]*\?\s*undecided/);
      assert.match(await row("same-gradients-at-0.5"), /−4\.3 log ratio \(×0\.013\)/);
      assert.match(
        await row("same-gradients-at-0.5"),
        /initial plateau[^]*Precondition not met: both arms have learned/,
      );
      assert.match(await page.locator("#claim-santurkar-fig4-beta-smoothness").innerText(), /not measured/);
    });
  });

  it("the headline counts the primary claims, and says so; the secondary ones in small print", async () => {
    await withPage(sample(), async (page) => {
      const text = await page.locator(".tally").innerText();
      assert.match(text, /^4 primary claims – those that the sources state as their findings/);
      assert.match(text, /2\s*✓\s*supported\s*0\s*✕\s*not supported\s*2\s*\?\s*undecided/);
      assert.match(text, /and 4 secondary claims \(.*\): 1 supported, 1 not supported, 2 undecided\./);
    });
  });

  it("there is one verdict, and the one without correction only behind quote and method", async () => {
    await withPage(sample(), async (page) => {
      await unfold(page);
      const claim = page.locator("#claim-santurkar-fig1-generalizes-better");
      assert.equal(await claim.locator(".verdict").count(), 1);
      assert.equal(await claim.locator(".verdict").textContent(), "?undecided");
      const method = claim.locator("xpath=following-sibling::tr[1]");
      assert.equal(await method.locator("dd:visible").count(), 0);
      await press(method.locator("summary"));
      const words = await method.innerText();
      assert.match(words, /taken alone\s+supported \(p = 0\.044, two-sided\)/);
      assert.match(words, /corrected\s+undecided \(adjusted p = 0\.087\): .* Holm's method within the secondary claims/);
      const listed = page.locator("article .claim-list li", { hasText: "higher test accuracy" });
      assert.equal(await listed.locator(".verdict").textContent(), "?undecided");
    });
  });

  it("a report of version 1 is read: the corrected verdict, every claim primary", async () => {
    const report = sample();
    report.schema_version = 1;
    for (const claim of report.claims) {
      claim.verdict = claim.verdict_raw;
      for (const name of ["rank", "p", "p_adjusted", "verdict_raw"]) delete claim[name];
    }
    assert.deepEqual(await checkReport(pages.browser, pageFile(report)), []);
    await withPage(report, async (page) => {
      assert.match(await page.locator(".tally").innerText(), /^8 primary claims[^]*\n3\s[^]*\n1\s[^]*\n4\s/);
      assert.equal(await page.locator("main > .notice").count(), 0);
      const claim = page.locator("#claim-santurkar-fig1-generalizes-better");
      assert.equal(await claim.locator(".verdict").textContent(), "?undecided");
    });
  });

  it("secondary claims are folded until asked for, by their button, by their address or by printing", async () => {
    const id = "claim-santurkar-fig1-generalizes-better";
    const seen = (page) => page.locator("tr.claim:visible").count();
    await withPage(sample(), async (page) => {
      assert.equal(await seen(page), 4);
      const button = page.getByRole("button", { name: "3 secondary claims" });
      assert.equal(await button.getAttribute("aria-expanded"), "false");
      await press(button);
      assert.equal(await button.getAttribute("aria-expanded"), "true");
      assert.equal(await seen(page), 7);
      await press(button);
      assert.equal(await seen(page), 4);
      await page.emulateMedia({ media: "print" });
      assert.equal(await seen(page), 8);
    });
    await withPage(sample(), async (page) => assert.ok(await page.locator(`#${id}`).isVisible()), `#${id}`);
  });

  it("an experiment lists its primary claims, and its secondary ones when unfolded", async () => {
    await withPage(sample(), async (page) => {
      const article = page.locator("article").first();
      assert.equal(await article.locator(".claim-list li:visible").count(), 2);
      await press(article.getByText("and 3 secondary claims"));
      assert.equal(await article.locator(".claim-list li:visible").count(), 5);
      const marks = page.locator("nav .verdict-marks");
      assert.deepEqual(await marks.allTextContents(), ["✓✓", "??"]);
    });
  });

  it("the first screen says what held in plain words, with one picture", async () => {
    await withPage(sample(), async (page) => {
      const short = page.locator(".in-short");
      assert.match(await short.innerText(), /✓\s*supported\s*With BN a network learns faster\./);
      assert.equal(await short.locator("figure").count(), 1);
      assert.equal(await short.locator("li").count(), 1);
    });
    const report = sample();
    for (const experiment of report.experiments) experiment.headline = "";
    await withPage(report, async (page) => assert.equal(await page.locator(".in-short li").count(), 2));
  });

  it("a stop shows its picture, its claims beside it and a command; the rest behind a fold", async () => {
    await withPage(sample(), async (page) => {
      const stop = page.locator("article").first();
      assert.equal(await stop.locator("figure:visible").count(), 1);
      assert.match(await stop.locator(".command code").innerText(), /^bnlab reproduce --only santurkar-fig1/);
      const [figure, beside] = await stop.evaluate((article) =>
        [".stop figure", ".beside"].map((selector) => article.querySelector(selector).getBoundingClientRect().toJSON()),
      );
      assert.ok(beside.x >= figure.x + figure.width && Math.abs(beside.y - figure.y) < 40);
      await press(stop.locator("summary", { hasText: "A closer look" }));
      await stop.locator("figure:visible").nth(1).waitFor({ timeout: 10_000 });
    });
  });

  it("terms are explained where they first stand and in a list", async () => {
    await withPage(sample(), async (page) => {
      const term = page.locator("article .plainly a.term", { hasText: "BN" });
      assert.equal(await term.count(), 1, "once, though the text says it twice");
      assert.match(await term.getAttribute("title"), /mean is 0 and its variance 1/);
      const target = (await term.getAttribute("href")).slice(1);
      assert.match(await page.locator(`[id="${target}"]`).innerText(), /batch normalization \(BN\)/);
    });
  });

  it("claims of an experiment without runs are one line, in its stop and in the table", async () => {
    const report = sample();
    for (const claim of report.claims) {
      if (claim.experiment === "santurkar-fig1") Object.assign(claim, { effect: null, interval: null, per_seed: [] });
    }
    await withPage(report, async (page) => {
      assert.match(await page.locator("article").first().innerText(), /5 claims, not measured yet/);
      assert.equal(await page.locator("table.claims tr.waiting").count(), 1);
    });
  });

  it("an experiment that failed says why in place of its figures", async () => {
    await withPage(sample(), async (page) => {
      const notice = page.locator("article").last().locator(".failure");
      assert.match(await notice.innerText(), /could not be drawn[^]*run 5084c63f7b949e54 recorded no moments/);
      assert.equal(await page.locator("article").last().locator(".notice").count(), 1);
    });
  });

  it("the cost is the processors' time where it was recorded, else the clock's", async () => {
    await withPage(sample(), async (page) => {
      const costs = await page.locator("article").allTextContents();
      assert.match(costs[0], /Cost: 12 runs, 2 min 51 s of computing time/);
      assert.match(costs[1], /Cost: 6 runs, 4 min 24 s of computing time/);
    });
  });

  it("a title that is a question keeps its mark, any other ends in a full stop", async () => {
    const report = sample();
    report.figures[0].title = "Does it hold?";
    report.figures[1].title = "It holds";
    await withPage(report, async (page) => {
      const titles = await page.locator("figcaption strong").allTextContents();
      assert.ok(titles.includes("Does it hold? ") && titles.includes("It holds. "), titles.join("|"));
    });
  });

  it("what a figure leaves out is said below it", async () => {
    const report = sample();
    report.figures[0].spec.usermeta = { notes: ["2 values are not finite and are left out."] };
    await withPage(report, async (page) => {
      const caption = await page.locator("figure").first().locator("figcaption").innerText();
      assert.match(caption, /2 values are not finite and are left out\./);
    });
  });

  it("a failed precondition that the reason names is said once", async () => {
    const report = sample();
    report.claims[3].reason = 'precondition "both arms have learned" does not hold: accuracy 0.10';
    await withPage(report, async (page) => {
      await unfold(page);
      const row = await page.locator('[id="claim-santurkar-fig1-same-gradients-at-0.5"]').innerText();
      assert.match(row, /Precondition "both arms have learned" does not hold: accuracy 0\.10/);
      assert.doesNotMatch(row, /Precondition not met/);
    });
  });

  it("the drawing puts the interval on the right side of the threshold", async () => {
    await withPage(sample(), async (page) => {
      const places = await page.locator(`[id="claim-santurkar-fig1-same-gradients-at-0.5"] .bar`).evaluate((bar) => {
        const x = (selector, name) => Number(bar.querySelector(selector).getAttribute(name));
        return {
          low: x(".interval", "x1"),
          effect: x(".effect", "cx"),
          high: x(".interval", "x2"),
          threshold: x(".threshold", "x1"),
          side: x(".side", "x"),
        };
      });
      assert.ok(places.low < places.effect && places.effect < places.high && places.high < places.threshold);
      assert.equal(places.side, places.threshold);
    });
  });

  it("the filters show the claims of one verdict and of one rank", async () => {
    await withPage(sample(), async (page) => {
      const seen = () => page.locator("tr.claim:visible").count();
      const pressButton = (name) => press(page.getByRole("button", { name, exact: true }));
      await pressButton("4 secondary");
      assert.equal(await seen(), 4);
      await pressButton("1 not supported");
      assert.equal(await seen(), 1);
      assert.equal(await page.locator("tr.group:visible").count(), 1);
      assert.equal(await page.locator(".filter-result").innerText(), "1 claim of 8");
      await pressButton("4 primary");
      assert.equal(await seen(), 0);
      await pressButton("all 4");
      assert.equal(await seen(), 4);
      await pressButton("both ranks");
      await pressButton("4 undecided");
      assert.equal(await seen(), 2);
      await press(page.getByRole("button", { name: "2 secondary claims" })); // its name begins with the triangle
      assert.equal(await seen(), 4);
      await pressButton("all 8");
      assert.equal(await seen(), 7);
    });
  });

  it("figures are drawn when near, all of them with #all or before printing", async () => {
    assert.equal(await withPage(sample(), drawnFigures), 1, "the first screen's");
    assert.equal(await withPage(sample(), drawnFigures, "#all"), 7);
    await withPage(sample(), async (page) => {
      await page.pdf();
      assert.equal(await drawnFigures(page), 7);
    });
  });

  it("a report over 1000 runs opens, and finds each run", async () => {
    const report = largeReport(35, 1000);
    // The goal is 2 seconds; shown and not asserted, since a busy machine would make the test fail for no fault.
    const start = performance.now();
    const milliseconds = await withPage(report, () => performance.now() - start);
    console.log(`1000 runs, 35 experiments, 105 figures: open after ${Math.round(milliseconds)} ms`);
    await withPage(
      report,
      async (page) => {
        await page.waitForSelector("tr.sought");
        assert.equal(await page.locator("tr.sought").getAttribute("id"), "run-run742");
        assert.equal(await page.locator(".run-list tbody tr").count(), 100);
        await page.getByLabel("State of the run").selectOption("diverged");
        assert.match(await page.locator(".run-list tbody tr").first().innerText(), /diverged at step 212/);
        await page.getByLabel("Find runs").fill("nothing of this name");
        assert.equal(await page.locator(".run-list tbody tr").count(), 0);
      },
      "#run-run742",
    );
  });
});
