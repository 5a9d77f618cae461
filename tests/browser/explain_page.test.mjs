// The page of `bnlab explain` in a browser: that it computes what the program computes, also while a person edits, and
// that it leads through the graph.
//
// BNLAB_PROGRAM names the program (by default build/bnlab).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openBrowser, watch, widthProblems } from "./page_check.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const program = process.env.BNLAB_PROGRAM ?? here("../../build/bnlab");
const folder = mkdtempSync(join(tmpdir(), "bnlab-explain-"));
const dataOfPage = /(<script type="application\/json" id="bnlab-trace">)([^]*?)(<\/script>)/;
let browser;
let files = 0;

const newFile = (ending) => join(folder, `${++files}.${ending}`);
const run = (...flags) =>
  execFileSync(program, ["explain", ...flags], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function csv(columns, rows) {
  const file = newFile("csv");
  writeFileSync(file, [columns, ...rows].map((row) => `${row.join(",")}\n`).join(""));
  return file;
}

/** The program's flags for a layer in the form that the page's compute() takes. */
function flagsOf({ columns, x, gamma, beta, eps, dy, running }) {
  const flags = [csv(columns, x), `--gamma=${gamma}`, `--beta=${beta}`, `--eps=${eps}`, "--dy", csv(columns, dy)];
  return running ? [...flags, "--inference", `--mean=${running.mean}`, `--var=${running.var}`] : flags;
}

const traceOf = (...flags) => JSON.parse(run(...flags, "--json"));

/** Opens a page, looks at it, and expects that it logged, threw and asked for nothing. */
async function withFile(file, look, options = {}) {
  const url = pathToFileURL(file).href;
  const problems = [];
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  try {
    const page = await context.newPage();
    watch(page, url, problems);
    await page.goto(url);
    await page.waitForFunction(() => window.bnlabExplain);
    const result = await look(page);
    problems.push(...(await page.evaluate(brokenNumbers)));
    assert.deepEqual(problems, []);
    return result;
  } finally {
    await context.close();
  }
}

/** The same of the page that the program writes with these flags. */
function withPage(flags, look, options) {
  const file = newFile("html");
  run(...flags, "--html", file);
  return withFile(file, look, options);
}

/** The file of the same page with another trace in it. */
function holding(file, trace) {
  const other = newFile("html");
  const json = JSON.stringify(trace).replaceAll("<", "\\u003c");
  writeFileSync(
    other,
    readFileSync(file, "utf8").replace(dataOfPage, (_, begin, __, end) => begin + json + end),
  );
  return other;
}

/** Whatever is shown or said of a number that is none (runs in the browser). */
function brokenNumbers() {
  const titles = [...document.querySelectorAll("[title], [aria-label]")].map((it) =>
    ["title", "aria-label"].map((name) => it.getAttribute(name)),
  );
  const svgTexts = [...document.querySelectorAll("svg text")].map((it) => it.textContent);
  const paths = [...document.querySelectorAll("svg path, svg rect")].map(
    (it) => `${it.getAttribute("d")} ${it.getAttribute("x")}`,
  );
  const lines = [document.querySelector("#explain").innerText, ...titles.flat(), ...svgTexts, ...paths]
    .join("\n")
    .split("\n");
  return lines.filter((line) => /NaN|Infinity|undefined|\[object/.test(line)).map((line) => `the page shows: ${line}`);
}

const stateOf = (page) => page.evaluate(() => JSON.parse(JSON.stringify(window.bnlabExplain.state)));
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const field = (page, part, row, column) =>
  page.locator(`input[data-part="${part}"][data-row="${row}"][data-column="${column}"]`);
const node = (trace, name) => trace.nodes.find((it) => it.name === name);

/** Numbers to a relative 1e-12, all else exactly. */
function assertSame(actual, expected, path = "trace") {
  if (typeof expected === "number") {
    const close = typeof actual === "number" && Math.abs(actual - expected) <= 1e-12 * Math.abs(expected);
    assert.ok(close, `${path} is ${actual}, the program says ${expected}`);
  } else if (typeof expected === "object" && expected !== null) {
    assert.deepEqual(Object.keys(actual ?? {}).sort(), Object.keys(expected).sort(), path);
    for (const key of Object.keys(expected)) assertSame(actual[key], expected[key], `${path}.${key}`);
  } else {
    assert.equal(actual, expected, path);
  }
}

/** Seeded numbers from 0 to 1 (mulberry32). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A layer whose size comes of `seed`, and its numbers, of any size and sign, of `draw`; every third with inference. */
function randomLayer(seed, draw) {
  const shape = randomNumbers(seed);
  const [rows, count] = [1 + Math.floor(12 * shape()), 1 + Math.floor(6 * shape())];
  const random = randomNumbers(1000 * seed + draw);
  const size = () => 10 ** Math.floor(7 * random() - 3);
  const signed = (scale) => Number(((2 * random() - 1) * scale).toPrecision(random() < 0.5 ? 3 : 16));
  const row = (scale) => Array.from({ length: count }, () => signed(scale));
  const table = (scale) => Array.from({ length: rows }, () => row(scale));
  return {
    columns: Array.from({ length: count }, (_, index) => `column ${index + 1}`),
    x: table(size()),
    gamma: row(2),
    beta: row(3),
    eps: [1e-5, 1e-3, 0.5, 1e-12][Math.floor(4 * random())],
    dy: table(size()),
    running: seed % 3 === 0 ? { mean: row(10), var: row(10).map(Math.abs) } : null,
  };
}

/** Types another layer of the same shape into the page's fields. */
async function typeLayer(page, { x, dy, gamma, beta, eps, running }) {
  const parts = { x, dy, gamma: [gamma], beta: [beta], eps: [[eps]] };
  if (running) Object.assign(parts, { running_mean: [running.mean], running_var: [running.var] });
  for (const [part, rows] of Object.entries(parts)) {
    for (const [row, values] of rows.entries()) {
      for (const [column, value] of values.entries()) await field(page, part, row, column).fill(String(value));
    }
  }
}

/** What the table of this name above shows, in full precision. */
const titlesOf = (page, name) =>
  page
    .locator(".cards > .cards > .results .card", {
      has: page.locator("figcaption strong", { hasText: new RegExp(`^${name}$`) }),
    })
    .locator("tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("button")].map((it) => Number(it.title))));

describe("the page of bnlab explain", () => {
  before(async () => (browser = await openBrowser()));
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  it("is one small file that holds what --json prints", () => {
    const file = newFile("html");
    const trace = JSON.parse(run("--json", "--html", file));
    const html = readFileSync(file, "utf8");
    const held = dataOfPage.exec(html)[2];
    assert.deepEqual(JSON.parse(held), trace);
    assert.ok(html.length - held.length < 100_000, `${html.length - held.length} bytes without the table`);
  });

  it("computes what the program computes: the sample", async () => {
    const sample = JSON.parse(readFileSync(here("sample_trace.json"), "utf8"));
    await withPage([], async (page) => {
      const layer = { ...sample, x: node(sample, "x").value, running: null };
      assertSame(await page.evaluate((it) => window.bnlabExplain.compute(it), layer), sample);
    });
  });

  const compute = (page, layer) => page.evaluate((given) => window.bnlabExplain.compute(given), layer);

  it("computes what the program computes: 24 random tables", async () => {
    await withPage([], async (page) => {
      for (let seed = 1; seed <= 24; ++seed) {
        const layer = randomLayer(seed, 1);
        assertSame(await compute(page, layer), traceOf(...flagsOf(layer)), `trace of seed ${seed}`);
      }
    });
  });

  for (const seed of [2, 7, 8, 21]) {
    const layer = randomLayer(seed, 1);
    const size = `${layer.x.length} by ${layer.columns.length}`;
    it(`shows what is typed in: ${size}, ${layer.running ? "inference" : "training"}`, async () => {
      const file = newFile("html");
      const expected = JSON.parse(run(...flagsOf(layer), "--json", "--html", file));
      const other = await withFile(file, (page) => compute(page, randomLayer(seed, 2)));
      await withFile(holding(file, other), async (page) => {
        assertSame((await stateOf(page)).trace, other);
        await typeLayer(page, layer);
        const { trace, problems } = await stateOf(page);
        assert.deepEqual(problems, []);
        assertSame(trace, expected);
        assertSame(await titlesOf(page, "y"), node(expected, "y").value);
        assertSame(await titlesOf(page, "dx"), node(expected, "x").gradient);
      });
    });
  }

  it("leads forward node by node, then backward", async () => {
    const trace = traceOf();
    const names = trace.nodes.map(({ name }) => name);
    await withPage([], async (page) => {
      const pale = () => page.locator(".node.later").evaluateAll((nodes) => nodes.map((it) => it.dataset.node));
      const heading = () => page.locator(".panel h3 strong").innerText();
      const seen = [];
      assert.deepEqual(await pale(), []);
      for (const [index, name] of names.entries()) {
        await press(page, index === 0 ? "first" : "forward");
        assert.equal(await heading(), name);
        assert.deepEqual(await pale(), names.slice(index + 1));
        assert.equal(await page.locator(".node.current").getAttribute("data-node"), name);
        assert.equal(await page.locator(".edge.value.current").count(), trace.nodes[index].inputs.length);
        seen.push(await page.locator(".words").innerText());
      }
      for (const name of [...names].reverse()) {
        await page.keyboard.press("ArrowRight");
        assert.equal(await heading(), `d${name}`);
        assert.equal(await page.locator(".node.current-gradient").getAttribute("data-node"), name);
        const users = trace.nodes.filter(({ inputs }) => inputs.includes(name)).length;
        assert.equal(await page.locator(".edge.gradient.current").count(), users);
        seen.push(await page.locator(".words").innerText());
      }
      assert.equal(new Set(seen).size, 24);
      assert.ok(seen.every((words) => words.length > 50 && /[.)]$/.test(words)));
      assert.equal(await page.locator(".where").innerText(), "Backward, 12 of 12");
      for (const [button, enabled] of [
        ["first", true],
        ["back", true],
        ["forward", false],
        ["last", false],
      ]) {
        assert.equal(await page.getByRole("button", { name: button, exact: true }).isEnabled(), enabled, button);
      }
      await page.keyboard.press("ArrowLeft");
      assert.equal(await heading(), "dmean");
      await press(page, "first");
      assert.equal(await heading(), "x");
      await press(page, "back");
      assert.deepEqual(await pale(), []);
      await press(page, "last");
      assert.equal(await heading(), "dx");
    });
  });

  it("puts the numbers of the chosen cell into the formula", async () => {
    const worked = {
      mean: "mean = Σ x / N = (152 + 171 + … + 164) / 10 = 161.1",
      centered: "centered = x − mean = 171 − 161.1 = 9.9",
      squared: "squared = centered² = 9.9² = 98.01",
      std: "std = √(var_biased + ε) = √(92.49 + 1 · 10⁻⁵) = 9.6172",
      xhat: "xhat = centered · rstd = 9.9 · 0.10398 = 1.0294",
      y: "y = scaled + beta = 1.0294 + 0 = 1.0294",
    };
    const back = {
      gamma: "dgamma = Σ dscaled · xhat = 1 · (−0.94622) + 0 · 1.0294 + … + 0 · 0.30154 = −0.94622",
      std: "dstd = −drstd / std² = −(−9.1) / 9.6172² = 0.098389",
      centered: "dcentered = dxhat · rstd + 2 · centered · dsquared = 0 · 0.10398 + 2 · 9.9 · 0.00051153 = 0.010128",
      x: "dx = dcentered + dmean / N = 0.010128 + (−0.10398) / 10 = −0.00026982",
    };
    const plain = (text) =>
      text
        .replace(/\u2009/g, " ")
        .replace(/\s+/g, " ")
        .trim();
    await withPage([], async (page) => {
      await page
        .locator(".results button")
        .filter({ hasText: /^1\.0294$/ })
        .first()
        .click();
      const { row, column } = await stateOf(page);
      assert.deepEqual([row, column], [1, 0]);
      for (const name of new Set([...Object.keys(worked), ...Object.keys(back)])) {
        await page.locator(`[data-node="${name}"]`).click();
        const [forward, backward] = (await page.locator(".panel .formula").allInnerTexts()).map(plain);
        if (worked[name]) assert.equal(forward, worked[name]);
        if (back[name]) assert.equal(backward, back[name]);
      }
      await field(page, "dy", 4, 2).focus();
      assert.match(await page.locator(".panel").innerText(), /In row 5, column age:/);
      assert.match(await page.locator('[data-node="x"]').textContent(), /given45/);
    });
  });

  it("a clicked node shows both ways, its formulas and its tables", async () => {
    await withPage([], async (page) => {
      await page.locator('[data-node="var_biased"]').focus();
      await page.keyboard.press("Enter");
      const words = await page.locator(".panel").innerText();
      assert.match(words, /variance of each column, divided by N/);
      assert.match(words, /var_biased = Σ squared \/ N/);
      assert.match(words, /dvar_biased = dstd \/ \(2 · std\)/);
      const tables = await page.locator(".panel .card").allInnerTexts();
      assert.equal(tables.length, 2);
      assert.match(tables[0], /92\.49/);
      assert.equal(await page.locator('[data-node="var_biased"]').getAttribute("aria-pressed"), "true");
    });
  });

  it("inference begins with the table's mean and unbiased variance, and computes with what is typed", async () => {
    const expected = traceOf("--inference");
    await withPage([], async (page) => {
      await press(page, "forward");
      await press(page, "inference");
      const { trace, taken, steps } = await stateOf(page);
      assertSame(trace, expected);
      assert.equal(taken, 0);
      assert.equal(steps.length, 11 + 7);
      assert.equal(await page.locator(".node").count(), 11);
      assert.equal(await page.locator(".edge.gradient").count(), 6);
      await field(page, "running_mean", 0, 1).fill("55");
      await field(page, "running_var", 0, 1).fill("100");
      const edited = (await stateOf(page)).trace;
      const given = [edited.running_mean, edited.running_var];
      assertSame(edited, traceOf("--inference", `--mean=${given[0]}`, `--var=${given[1]}`));
      await press(page, "last");
      assert.equal(await page.locator(".where").innerText(), "Backward, 7 of 7");
      await press(page, "training");
      assertSame((await stateOf(page)).trace, traceOf());
      assert.equal(await field(page, "running_mean", 0, 0).count(), 0);
    });
  });

  it("rows are added and taken away, but not the last one", async () => {
    const columns = ["a", "b"];
    await withPage(
      [
        csv(columns, [
          [1, 2],
          [3, 7],
        ]),
      ],
      async (page) => {
        await press(page, "Add a row");
        assert.equal(await page.evaluate(() => document.activeElement.dataset.row), "2");
        await page.keyboard.type("5");
        await field(page, "x", 2, 1).fill("-4");
        await field(page, "dy", 2, 1).fill("0.5");
        const flags = (x, dy) => [csv(columns, x), "--dy", csv(columns, dy)];
        const typed = (await stateOf(page)).trace;
        const first = typed.nodes[0].value[2][0];
        assertSame(
          typed,
          traceOf(
            ...flags(
              [
                [1, 2],
                [3, 7],
                [first, -4],
              ],
              [
                [1, 1],
                [0, 0],
                [0, 0.5],
              ],
            ),
          ),
        );
        await press(page, "Remove row 1");
        assertSame(
          (await stateOf(page)).trace,
          traceOf(
            ...flags(
              [
                [3, 7],
                [first, -4],
              ],
              [
                [0, 0],
                [0, 0.5],
              ],
            ),
          ),
        );
        await press(page, "Remove row 1");
        assertSame((await stateOf(page)).trace, traceOf(...flags([[first, -4]], [[0, 0.5]])));
        assert.ok(await page.getByRole("button", { name: "Remove row 1" }).isDisabled());
        await press(page, "inference");
        assert.match(await page.locator(".said").innerText(), /One row has no variance/);
        assert.deepEqual((await stateOf(page)).trace.running_var, [1, 1]);
      },
    );
  });

  it("reset brings back what the page was written with", async () => {
    await withPage(["--inference"], async (page) => {
      const { revision: _, ...before } = await stateOf(page);
      await press(page, "training");
      await press(page, "Add a row");
      await field(page, "gamma", 0, 1).fill("3");
      await field(page, "eps", 0, 0).fill("none");
      await press(page, "last");
      await press(page, "Reset");
      const { revision: __, ...now } = await stateOf(page);
      assert.deepEqual(now, before);
      assert.equal(await page.locator("#explain.stale").count(), 0);
      assert.equal(await field(page, "gamma", 0, 1).inputValue(), "1");
    });
  });

  it("what cannot be computed is said in a sentence, and the last results stay, greyed", async () => {
    const cases = [
      ["x", 2, 1, "", /^x, row 3, column "weight": the field is empty; write a number\. What/],
      ["x", 0, 0, "abc", /^x, row 1, column "height": "abc" is no number\. What/],
      ["x", 0, 0, "1,5", /"1,5" is no number; write decimals with a point\./],
      ["x", 0, 0, "1e999", /"1e999" is beyond the range of a double\./],
      ["x", 0, 0, "Infinity", /"Infinity" is no number/],
      ["x", 0, 0, "0x10", /"0x10" is no number/],
      ["x", 0, 0, "1e200", /^squared of column "height" is beyond the range of a double; rescale the table\./],
      ["dy", 9, 2, "-", /^dy, row 10, column "age": "-" is no number\./],
      ["dy", 9, 2, "1e308", /of column "age" is beyond the range of a double/],
      ["gamma", 0, 0, " ", /^gamma of column "height": the field is empty/],
      ["beta", 0, 2, "--1", /^beta of column "age": "--1" is no number/],
      ["running_mean", 0, 2, "?", /^running_mean of column "age": "\?" is no number/],
      ["running_var", 0, 1, "-1", /^running_var of column "weight": it must be at least 0, not -1\./],
      ["eps", 0, 0, "-1e-5", /^eps: it must be at least 0, not -1e-5\./],
    ];
    await withPage(["--inference"], async (page) => {
      const alert = page.getByRole("alert");
      for (const [part, row, column, text, sentence] of cases) {
        await press(page, part.startsWith("running") ? "inference" : "training");
        const { trace, draft } = await stateOf(page);
        await field(page, part, row, column).fill(text);
        assert.match(await alert.innerText(), sentence);
        assert.equal(await page.locator("#explain.stale").count(), 1);
        assert.ok(Number(await page.locator(".graph").evaluate((it) => getComputedStyle(it).opacity)) < 0.6);
        const overflows = /^1e\d{3}$/.test(text) && Number.isFinite(Number(text));
        assert.equal(await field(page, part, row, column).getAttribute("aria-invalid"), String(!overflows));
        assert.deepEqual((await stateOf(page)).trace, trace);
        await field(page, part, row, column).fill(draft.texts[part][row][column]);
        assert.ok(await alert.isHidden());
        assert.deepEqual((await stateOf(page)).trace, trace);
        assert.equal(await page.locator("#explain.stale, [aria-invalid=true]").count(), 0);
      }
    });
  });

  it("a constant column needs an eps", async () => {
    await withPage(
      [
        csv(
          ["a", "b"],
          [
            [2, 5],
            [2, 6],
          ],
        ),
      ],
      async (page) => {
        assert.match(
          await page.locator(".notes").innerText(),
          /Column "a" is constant.*only eps keeps rstd finite, 316\.2\./,
        );
        await field(page, "eps", 0, 0).fill("0");
        assert.match(
          await page.getByRole("alert").innerText(),
          /^column "a" has variance 0 and eps is 0, .*; choose an eps above 0\./,
        );
        await field(page, "x", 0, 0).fill("1");
        assert.ok(await page.getByRole("alert").isHidden());
        assertSame(
          (await stateOf(page)).trace,
          traceOf(
            csv(
              ["a", "b"],
              [
                [1, 5],
                [2, 6],
              ],
            ),
            "--eps=0",
          ),
        );
      },
    );
  });

  it("copies the table as CSV that the program reads", async () => {
    const columns = ["plain", '"quoted, ""name"""'];
    const x = [
      [1 / 3, -2e-9],
      [1e21, 4],
    ];
    await withPage([csv(columns, x)], async (page) => {
      await page.evaluate(() => {
        Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => (window.copied = text) } });
      });
      await page.getByRole("button", { name: "Copy as CSV" }).first().click();
      await page.getByText("x is on the clipboard as CSV.").waitFor();
      const file = newFile("csv");
      writeFileSync(file, await page.evaluate(() => window.copied));
      assert.deepEqual(node(traceOf(file), "x").value, x);
      assert.deepEqual(traceOf(file).columns, ["plain", 'quoted, "name"']);
    });
  });

  it("what it gives to try does what it says", async () => {
    const largest = (rows) => Math.max(...rows.flat().map(Math.abs));
    const column = (trace, name, key = "value") => node(trace, name)[key].map((row) => row[1]);
    const minus = (a, b, factor = 1) => a.map((value, index) => value - factor * b[index]);
    await withPage([], async (page) => {
      const before = (await stateOf(page)).trace;
      await field(page, "x", 0, 1).focus();
      const tried = async (name) => {
        await press(page, name);
        assert.ok((await page.locator(".said").innerText()).length > 40);
        const { trace } = await stateOf(page);
        await press(page, "Reset");
        await field(page, "x", 0, 1).focus();
        return trace;
      };
      const moved = await tried("Add 100 to weight");
      assert.ok(largest(minus(column(moved, "y"), column(before, "y"))) < 1e-12);
      assert.ok(largest(minus(column(moved, "x"), column(before, "x"))) === 100);
      const scaled = await tried("Multiply weight by 10");
      assert.ok(largest(minus(column(scaled, "y"), column(before, "y"))) < 1e-6);
      assert.ok(largest(minus(column(scaled, "x", "gradient"), column(before, "x", "gradient"), 0.1)) < 1e-8);
      assert.equal(largest(column(await tried("Make weight constant"), "xhat")), 0);
      const ones = await tried("Let every dy be 1");
      assert.ok(largest(node(ones, "x").gradient) < 1e-15);
      assert.deepEqual(node(ones, "beta").gradient, [10, 10, 10]);
    });
  });

  it("the closed form stands beside the steps, with their difference", async () => {
    await withPage([], async (page) => {
      const section = page.locator("section", { has: page.locator("#closed-form") });
      const { trace } = await stateOf(page);
      const cells = (index) =>
        section
          .locator(".card")
          .nth(index)
          .locator("tbody tr")
          .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("button")].map((it) => Number(it.title))));
      const [staged, closed, difference] = [await cells(0), await cells(1), await cells(2)];
      assert.deepEqual(staged, node(trace, "x").gradient);
      assert.deepEqual(closed, trace.closed_form.dx);
      assert.deepEqual(
        difference,
        staged.map((row, i) => row.map((value, c) => value - closed[i][c])),
      );
      assert.ok(difference.flat().some((value) => value !== 0));
      assert.match(await section.innerText(), /They differ by at most \S+\s·\s10⁻¹[⁵-⁹]/);
    });
  });

  it("large tables show their first rows and compute with all", async () => {
    const x = Array.from({ length: 300 }, (_, index) => [index % 7, (index * index) % 11]);
    await withPage([csv(["a", "b"], x)], async (page) => {
      assert.equal(await page.locator('input[data-part="x"]').count(), 200);
      assert.match(await page.locator("#explain").innerText(), /and 200 more rows, which take part in the computation/);
      await field(page, "x", 0, 0).fill("40");
      x[0][0] = 40;
      assertSame((await stateOf(page)).trace, traceOf(csv(["a", "b"], x)));
    });
  });

  it("names are text, and a long one is only shortened", async () => {
    const hostile = '"<img src=x onerror=""window.hit = 1""></script><b>"';
    await withPage(
      [
        csv(
          [hostile, "b"],
          [
            [1, 2],
            [3, 5],
          ],
        ),
      ],
      async (page) => {
        assert.equal(await page.locator("#explain :is(img, b)").count(), 0);
        assert.equal(await page.evaluate(() => window.hit ?? null), null);
        assert.match(await page.locator("thead").first().innerText(), /<img src=x/);
      },
    );
  });

  it("fits a phone, and its graph a window of 1280 pixels", async () => {
    const wide = randomLayer(5, 1);
    for (const colorScheme of ["light", "dark"]) {
      await withPage(
        flagsOf(wide),
        async (page) => {
          const graph = await page
            .locator(".graph")
            .evaluate((it) => [it.scrollWidth, it.clientWidth, it.scrollHeight, it.clientHeight]);
          assert.ok(graph[0] <= graph[1] && graph[2] <= graph[3], `the graph scrolls: ${graph}`);
          assert.deepEqual(await widthProblems(page), []);
          await press(page, "last");
          assert.deepEqual(await widthProblems(page), []);
          const inSight = await page.locator('[data-node="x"]').evaluate((it) => it.getBoundingClientRect().left >= 0);
          assert.ok(inSight);
        },
        { colorScheme },
      );
    }
  });
});
