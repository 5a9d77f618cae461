// The page's runs and filters: a run opened, two side by side, what if; filters of the claims, carried by the address.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { press, ReportPages, sample } from "./report_pages.mjs";

const pages = new ReportPages();
const [without, without1, withBn] = ["5084c63f7b949e54", "9b8e9a820da9f44a", "791397a3d445a53e"];
const hashOf = (page) => page.evaluate(() => decodeURIComponent(location.hash));

/** Opens the run's row. */
async function opened(page, id) {
  await press(page.locator(`[id="run-${id}"] button.open-run`));
  const detail = page.locator(`[id="run-${id}"] + tr .run-detail`);
  await detail.waitFor();
  return detail;
}

/** The command that is shown for the run in the report. */
async function commandOf(report, id, change = async () => {}) {
  let text;
  await pages.show(
    report,
    async (page) => {
      const detail = await opened(page, id);
      await change(detail);
      text = await detail.locator(".what-if .command code").innerText();
      if (text.includes("--spec"))
        text = [text, await detail.locator(".what-if button", { hasText: "save run.json" }).count()];
    },
    { hash: `#run-${id}` },
  );
  return text;
}

const plain =
  "bnlab train --data fashion-mnist --model vgg11 --norm none --lr 0.1 --steps 400 --pad-to 32 --threads 1 " +
  "--model-option width=0.25 --probe accuracy:every=50,examples=1000 --probe 'activations:layers=[1,8]' --out more";

/** The report with this spec for its first run. */
function withSpec(change) {
  const report = sample();
  change(report.runs[0].spec);
  return report;
}

describe("the page's runs", () => {
  before(() => pages.open());
  after(() => pages.close());

  it("open to spec, cost and curve", async () => {
    await pages.show(
      sample(),
      async (page) => {
        const detail = await opened(page, withBn);
        const words = await detail.innerText();
        assert.match(words, /state\s+finished\s+steps\s+400/);
        assert.match(words, /of it for measuring\s+accuracy 1\.3 s, activations 0\.4 s/);
        assert.match(words, /Normalization\s+kind\s+batch\s+eps\s+0\.001/);
        assert.match(words, /What is measured\s+accuracy\s+every 50, examples 1000/);
        await detail.locator("svg .mark-line.role-mark path").waitFor();
        assert.match(words, /a point is the mean of 7 steps/);
        await press(page.locator(`[id="run-${withBn}"] button.open-run`));
        assert.equal(await page.locator(".run-detail").count(), 0);
      },
      { hash: `#run-${withBn}` },
    );
  });

  it("without a stored spec and curve say so", async () => {
    await pages.show(
      sample(),
      async (page) => {
        const words = await (await opened(page, "90bfd7922ed6d460")).innerText();
        assert.match(words, /not stored in this report/);
        assert.match(words, /No curve of the training loss is stored/);
      },
      { hash: "#run-90bfd7922ed6d460" },
    );
  });

  it("are compared side by side: what differs first, results, both curves", async () => {
    await pages.show(sample(), async (page) => {
      await page.getByText("Show 19 runs").click();
      for (const id of [without1, withBn]) await press(page.locator(`[data-run="${id}"]`));
      const compare = page.locator(".compare");
      await compare.locator("svg .mark-line.role-mark path").nth(1).waitFor();
      const rows = await compare.getByLabel("Where the two runs differ").locator("tbody tr").allInnerTexts();
      const cells = rows.map((row) => row.split(/\t/));
      assert.deepEqual(
        cells,
        [
          ["seed", "1", "0"],
          ["model.norm.kind", "none", "batch"],
          ["model.norm.options.eps", "default", "0.001"],
        ].sort((a, b) => cells.findIndex((it) => it[0] === a[0]) - cells.findIndex((it) => it[0] === b[0])),
      );
      assert.match(await compare.getByLabel("Results of the two runs").innerText(), /computing time\s+15 s\s+17 s/);
      assert.equal(await hashOf(page), `#compare-${without1}-${withBn}`);
      await press(compare.getByRole("button", { name: "close" }));
      assert.ok(await compare.isHidden());
    });
  });

  it("an address compares two runs, and says when it does not hold them", async () => {
    await pages.show(
      sample(),
      async (page) => {
        await page.locator(".compare svg .mark-line.role-mark path").nth(1).waitFor();
        assert.ok(await page.locator(".compare h3").isVisible());
      },
      { hash: `#compare-${without}-${withBn}` },
    );
    await pages.show(
      sample(),
      async (page) => {
        assert.match(await page.locator(".compare .notice").innerText(), /does not hold both/);
      },
      { hash: `#compare-${without}-0000000000000000` },
    );
  });

  it("what if: the command trains the same run, and one with other choices", async () => {
    assert.equal(await commandOf(sample(), without), plain);
    const changed = await commandOf(sample(), without, async (detail) => {
      await detail.getByLabel("learning rate").fill("0.5");
      await detail.getByLabel("seed").fill("7");
      await detail.getByLabel("normalization").selectOption("batch");
    });
    const wanted = plain
      .replace("--norm none --lr 0.1", "--norm batch --lr 0.5")
      .replace("--threads 1", "--seed 7 --threads 1");
    assert.equal(changed, wanted);
  });

  it("what if: every key has its flag, and awkward ones are quoted", async () => {
    const report = withSpec((spec) => {
      Object.assign(spec, { batch: 32, divergence_loss: null, probe_budget: 0.07, probes: [{ name: "weights" }] });
      Object.assign(spec.optimizer, {
        name: "momentum",
        options: { momentum: 0.9 },
        milestones: [100, 200],
        factor: 0.5,
      });
      spec.model = { name: "mlp", options: { activation: "tanh" }, norm: { kind: "l1", place: "after-activation" } };
      delete spec.data.pad_to;
    });
    assert.equal(
      await commandOf(report, without),
      "bnlab train --data fashion-mnist --model mlp --norm l1 --lr 0.1 --steps 400 --pad-to 0 " +
        "--place after-activation --optimizer momentum --milestones 100,200 --factor 0.5 --batch 32 --threads 1 " +
        "--divergence-loss null --model-option activation=tanh --optimizer-option momentum=0.9 --probe weights " +
        "--probe-budget 7% --out more",
    );
    // Without a word on it, train makes the channels of this model a quarter of the original's.
    const whole = await commandOf(
      withSpec((spec) => delete spec.model.options),
      without,
    );
    assert.match(whole, /--model-option width=1 /);
  });

  it("what if: what no flag can say goes into a file", async () => {
    for (const change of [
      (spec) => (spec.some_later_key = 1),
      (spec) => (spec.probes = [{ name: "odd", parameters: { words: "a,b" } }]),
      (spec) => (spec.probes = [{ name: "odd", parameters: { every: 3 } }]),
    ]) {
      const [text, buttons] = await commandOf(withSpec(change), without);
      assert.equal(text, "bnlab train --data fashion-mnist --spec run.json --out more");
      assert.equal(buttons, 1);
    }
  });

  it("what if, for an experiment: the command with other seeds and scale, and one of its runs", async () => {
    await pages.show(sample(), async (page) => {
      const article = page.locator("article").first();
      await press(article.locator("summary", { hasText: "what if" }));
      const commands = () => article.locator(".what-if-place .command code").allInnerTexts();
      await article.locator(".what-if-place .what-if").waitFor();
      const start = "bnlab reproduce --only santurkar-fig1 --scale";
      assert.deepEqual(await commands(), [`${start} quick --data fashion-mnist --seeds 5 --out more`, plain]);
      await article
        .locator(".what-if-experiment")
        .getByRole("combobox", { name: /^scale/ })
        .selectOption("paper");
      await article.getByRole("spinbutton", { name: "seeds", exact: true }).fill("9");
      await article.getByRole("spinbutton", { name: "first seed" }).fill("20");
      assert.equal((await commands())[0], `${start} paper --data fashion-mnist --seeds 9 --first-seed 20 --out more`);
      await article.locator(".run-choice select").selectOption(withBn);
      await article.locator(".what-if-place code", { hasText: "--norm batch" }).waitFor();
    });
  });

  it("are found by words and state, and the address carries both", async () => {
    await pages.show(
      sample(),
      async (page) => {
        assert.equal(await page.locator(".run-list tbody tr").count(), 1);
        assert.equal(await page.getByLabel("Find runs").inputValue(), "landscape with bn");
        await page.getByLabel("State of the run").selectOption("");
        assert.equal(await page.locator(".run-list tbody tr").count(), 6);
        assert.equal(await hashOf(page), "#runs?words=landscape+with+bn");
      },
      { hash: "#runs?words=landscape+with+bn&state=failed" },
    );
  });
});

describe("the filters of the claims", () => {
  const pages = new ReportPages();
  before(() => pages.open());
  after(() => pages.close());
  const seen = (page) => page.locator("tr.claim:visible").count();

  it("are by experiment, source and words too, and the address carries them", async () => {
    const report = sample();
    report.experiments[0].source = "A paper";
    report.experiments[1].source = "Another";
    await pages.show(report, async (page) => {
      await page.getByLabel("Find claims").fill("smoothness");
      assert.equal(await seen(page), 1);
      assert.equal(await hashOf(page), "#claims?words=smoothness");
      await page.getByLabel("Find claims").fill("gradients larger");
      assert.equal(await seen(page), 1, "a secondary claim that is sought is not folded");
      await page.getByLabel("Find claims").fill("");
      await page.getByLabel("Show claims of one experiment").selectOption("santurkar-fig4");
      assert.equal(await page.locator(".filter-result").innerText(), "3 claims of 8");
      assert.equal(await page.locator("tr.group:visible").count(), 1);
      await page.getByLabel("Show claims of one experiment").selectOption("");
      await page.getByLabel("Show claims of one source").selectOption("A paper");
      assert.equal(await page.locator(".filter-result").innerText(), "5 claims of 8");
      assert.equal(await hashOf(page), "#claims?source=A+paper");
    });
  });

  it("an address sets them, and one that names a hidden claim shows it", async () => {
    const hash = "#claims?verdict=supported&rank=primary&experiment=santurkar-fig1";
    await pages.show(
      sample(),
      async (page) => {
        assert.equal(await seen(page), 2);
        for (const name of ["2 supported", "4 primary"]) {
        assert.equal(await page.getByRole("button", { name }).getAttribute("aria-pressed"), "true", name);
      }
        await page.evaluate(() => (location.hash = "#claim-santurkar-fig4-beta-smoothness"));
        const claim = page.locator("#claim-santurkar-fig4-beta-smoothness");
        await claim.waitFor({ state: "visible" });
      },
      { hash },
    );
  });
});
