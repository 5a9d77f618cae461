// The live page, from a server that says what it is told to (fake_server.mjs): runs under way, a growing report, runs
// that are started, a server that goes away.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { FakeServer, summary } from "./fake_server.mjs";
import { openBrowser } from "./page_check.mjs";
import { isThere, press, sample } from "./report_pages.mjs";

const base = "5084c63f7b949e54";
const running = "00000000000000bb";
let browser, server, page, address, problems;

/** Opens the page of the server. */
async function open(hash = "") {
  address = await server.open();
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url().startsWith(address) || problems.push(`request to ${request.url()}`));
  await page.goto(address + hash);
  await isThere(page);
}

const card = (id = running) => page.locator(`.live-runs li[data-run="${id}"]`);
const says = (locator, pattern) =>
  locator
    .filter({ hasText: pattern })
    .waitFor({ timeout: 20_000 })
    .catch(async () => {
      assert.fail(`no ${pattern} in "${await locator.innerText().catch(() => "nothing")}"`);
    });

describe("the live page", () => {
  before(async () => (browser = await openBrowser()));
  after(() => browser.close());
  beforeEach(() => {
    server = new FakeServer();
    problems = [];
  });
  afterEach(async () => {
    await page.close();
    await server.close();
  });

  it("shows the report of the server and asks nobody else", async () => {
    server.knowSample();
    await open();
    assert.equal(await page.locator("tr.claim").count(), 8);
    await says(page.locator(".live summary"), /12 of 40 runs ended, 1 under way, about 3 min 10 s left/);
    assert.deepEqual(problems, []);
    const asked = [...new Set(server.requests)].sort();
    assert.deepEqual(asked, ["GET /", "GET /api/events", "GET /api/report"]);
  });

  it("says that there is no report yet, shows the runs, and takes the report when it comes", async () => {
    server.runs.set(running, summary(running));
    await open();
    await says(page.locator("main .notice"), /There is no report yet: it comes with the first seed/);
    await says(page.locator(".run-list summary"), /Show 1 run/);
    await says(card(), /step 10 of 400, 25 steps\/s, 16 s left, loss 2\.1/);
    server.newReport(sample());
    await page.locator("tr.claim").first().waitFor();
    assert.equal(await page.locator("main .notice", { hasText: "no report yet" }).count(), 0);
    assert.equal(await page.locator("nav a", { hasText: "All claims" }).count(), 1);
  });

  it("runs under way appear, their curves grow, and divergence is marked", async () => {
    server.knowSample();
    await open();
    await press(page.locator(".live summary"));
    assert.ok(await page.getByText("No run is under way.").isVisible());
    server.points(running, [0, 5, 10], [2.5, 2.3, 2.1]);
    server.change(running, { title: "a new run" });
    const line = card().locator("svg .mark-line.role-mark path[d]");
    await line.waitFor();
    const before = await line.getAttribute("d");
    server.points(running, [15, 20], [1.9, 1.7]);
    server.change(running, { step: 20, loss: 1.7 });
    await says(card(), /step 20 of 400/);
    await page.waitForFunction(
      (old) => document.querySelector(".live-runs svg .mark-line.role-mark path[d]").getAttribute("d") !== old,
      before,
    );
    assert.equal((await line.getAttribute("d")).split("L").length, 5);
    server.change(running, { state: "diverged", diverged_at: 21, step: 21, loss: 4000 });
    await says(card(), /diverged at step 21/);
    assert.ok(await card().locator("progress").isHidden());
  });

  it("a newer report changes what has changed, and nothing else", async () => {
    server.knowSample();
    await open();
    await page.evaluate(() => window.bnlabRenderAll());
    const tag = (selector) => page.locator(selector).evaluate((it) => (it.kept = true));
    const kept = (selector) => page.locator(selector).evaluate((it) => it.kept === true);
    const [other, changed] = ["article:nth-of-type(1)", "#claim-santurkar-fig4-beta-smoothness"];
    await tag(`section.chapter:nth-of-type(1) > ${other}`);
    await tag("#claim-santurkar-fig1-faster-at-0_1, [id='claim-santurkar-fig1-faster-at-0.1']");
    await tag(changed);
    await page.getByLabel("Find claims").fill("BN");
    await press(page.locator("#claim-santurkar-fig4-beta-smoothness + tr summary"));
    await page.locator(changed).evaluate((it) => window.scrollTo(0, it.getBoundingClientRect().top + scrollY - 300));
    const top = await page.locator(changed).evaluate((it) => it.getBoundingClientRect().top);
    const report = sample();
    const claim = report.claims.find((it) => it.id === "beta-smoothness");
    Object.assign(claim, {
      effect: -0.5,
      interval: [-0.6, -0.4],
      per_seed: [-0.5, -0.6, -0.4],
      seeds: 3,
      verdict_corrected: "supported",
    });
    server.newReport(report);
    await says(page.locator(changed), /supported/);
    assert.ok(await kept("[id='claim-santurkar-fig1-faster-at-0.1']"), "another experiment's rows are not touched");
    assert.ok(await kept(`section.chapter:nth-of-type(1) > ${other}`), "nor its stop of the tour");
    assert.ok(!(await kept(changed)));
    assert.equal(await page.getByLabel("Find claims").inputValue(), "BN");
    assert.ok(await page.locator("#claim-santurkar-fig4-beta-smoothness + tr details").evaluate((it) => it.open));
    assert.ok(
      await page.evaluate(
        () =>
          document.activeElement.closest("tr")?.previousElementSibling?.id === "claim-santurkar-fig4-beta-smoothness",
      ),
      "the keyboard stays where it was",
    );
    const now = await page.locator(changed).evaluate((it) => it.getBoundingClientRect().top);
    assert.ok(Math.abs(now - top) < 60, `the row moved from ${top} to ${now}`);
    await says(page.locator(".tally"), /3\s*✓\s*supported/);
    assert.ok((await page.locator("nav .verdict-marks").allTextContents()).includes("?✓"));
    assert.deepEqual(problems, []);
  });

  it("says when the server is gone and what holds, and comes back with it", async () => {
    server.knowSample();
    await open();
    const { port } = server;
    await server.close(true);
    await says(
      page.locator(".connection"),
      /The server has ended at .*What is shown is as of then, and holds.*bnlab serve more/,
    );
    assert.equal(await page.locator("tr.claim").count(), 8);
    await server.open(port);
    await page.waitForFunction(() => document.querySelector(".connection").textContent === "", null, {
      timeout: 30_000,
    });
  });

  it("a run opens to its spec, its log, and a curve that grows", async () => {
    server.knowSample();
    server.specs.set(running, { ...server.specs.get(base), seed: 5 });
    server.points(running, [0, 5, 10], [2.5, 2.3, 2.1]);
    server.runs.set(running, summary(running));
    await open(`#run-${running}`);
    await press(page.locator(`#run-${running} button.open-run`));
    const detail = page.locator(".run-detail");
    await says(detail, /seed\s+5/);
    await press(detail.getByText("What its process said"));
    await says(detail, /epoch 2/);
    const line = detail.locator("svg .mark-line.role-mark path[d]");
    await line.waitFor();
    server.points(running, [15, 20, 25], [2, 1.9, 1.8]);
    await page.waitForFunction(
      () =>
        document.querySelector(".run-detail .mark-line.role-mark path[d]")?.getAttribute("d").split("L").length === 6,
    );
    assert.equal(await detail.getByRole("button", { name: "what would it cost?" }).count(), 0, "it may start nothing");
  });

  it("starts a changed run after its cost was said, and draws it beside its base as it grows", async () => {
    server.knowSample();
    server.mayStart = true;
    await open(`#run-${base}`);
    await press(page.locator(`[id="run-${base}"] button.open-run`));
    const form = page.locator(".run-detail .what-if");
    const cost = form.getByRole("button", { name: "what would it cost?" });
    await press(cost);
    await says(form, /change something first/);
    await form.getByLabel("learning rate").fill("0.5");
    server.refusal = [422, "optimizer.lr: too high for this"];
    await press(cost);
    await says(form, /It cannot be run: optimizer\.lr: too high for this/);
    server.refusal = null;
    await press(cost);
    await says(form, /vgg11, rate 0\.5: about 1 min 5 s of computing time/);
    assert.equal(server.started, undefined);
    await press(form.getByRole("button", { name: "start it" }));
    await says(form, /Started as 0000000000/);
    assert.deepEqual(server.started, { base, changes: { "optimizer.lr": 0.5 } });
    await says(form.getByLabel("Where the two runs differ"), /optimizer\.lr\s*0\.1\s*0\.5/);
    const lines = form.locator("svg .mark-line.role-mark path[d]");
    assert.equal(await lines.count(), 1);
    server.points("00000000000000aa", [0, 5, 10], [2.5, 2.3, 2.1]);
    await lines.nth(1).waitFor();
    server.change("00000000000000aa", { state: "finished", step: 400, rate: null, left_seconds: null });
    await says(form, /It has ended: finished after 400 steps/);
    assert.ok(server.requests.includes("POST /api/plan") && server.requests.includes("POST /api/runs"));
  });

  it("stops a run that it has started, and says why another cannot be started", async () => {
    server.knowSample();
    server.mayStart = true;
    await open(`#run-${base}`);
    await press(page.locator(`[id="run-${base}"] button.open-run`));
    const form = page.locator(".run-detail .what-if");
    const button = (name) => form.getByRole("button", { name });
    await form.getByLabel("seed").fill("9");
    await press(button("what would it cost?"));
    await press(button("start it"));
    await press(button("stop it"));
    await says(form, /It is asked to stop, and keeps what it has/);
    assert.ok(server.requests.includes("DELETE /api/runs/00000000000000aa"));
    server.busy = "a run that was started here is still going on";
    await form.getByLabel("seed").fill("10");
    await press(button("what would it cost?"));
    await press(button("start it"));
    await says(form, /It was not started: a run that was started here is still going on/);
  });
});
