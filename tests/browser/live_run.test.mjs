// The live page over a real server and a real run: what a person does who asks "what if".
//
// BNLAB_PROGRAM names the built bnlab.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { openBrowser } from "./page_check.mjs";

const program = process.env.BNLAB_PROGRAM ?? "build/bnlab";
const patience = 60_000;
const folder = mkdtempSync(join(tmpdir(), "bnlab-live-"));
let browser;
let server;
let address;
let base;

/** Starts the server; resolves to the address that it prints. */
async function serve(...options) {
  server = spawn(program, ["serve", folder, "--port", "0", "--data", "gaussian", ...options], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const line = await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", resolve));
  assert.match(line ?? "", /^http:\/\/127\.0\.0\.1:\d+\//);
  return new URL(line);
}

async function end(signal = "SIGINT") {
  const ended = new Promise((resolve) => server.once("exit", (status) => resolve(status)));
  server.kill(signal);
  return ended;
}

/** Everything that the page must not do. */
function watch(page, problems) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error in the page: ${error.message}`));
  page.on("request", (request) => {
    const wanted = request.url();
    if (!wanted.startsWith(address.origin) && !/^(data|blob):/.test(wanted)) problems.push(`request to ${wanted}`);
  });
}

describe("the live page over a real run", () => {
  before(async () => {
    const train = ["train", "--data", "gaussian", "--model", "mlp", "--norm", "batch", "--steps", "40", "--out", folder];
    execFileSync(program, train, { stdio: "ignore" });
    [base] = readdirSync(join(folder, "runs"));
    address = await serve("--allow-runs");
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.close();
    await end("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  it("starts a run of another seed from a run's form, which grows beside it and ends", { timeout: 3 * patience }, async () => {
    const problems = [];
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(patience);
    watch(page, problems);
    await page.goto(address.href);
    assert.equal(new URL(page.url()).search, "", "the token stays in no address");
    await page.goto(`${address.origin}/#run-${base}`);
    await page.locator(`#run-${base} button.open-run`).press("Enter");
    const form = page.locator(".run-detail .train-form");
    await form.getByLabel("seed").fill("7");
    await form.getByLabel("steps").fill("8000");
    const starting = page.locator(".run-detail .starting");
    await starting.getByRole("button", { name: "what would it cost?" }).click();
    await starting.getByText("of computing time").waitFor();
    await starting.getByRole("button", { name: "start it" }).click();
    const card = page.locator(".live-runs li").first();
    await card.locator("svg.marks").waitFor();
    const length = () => card.evaluate((it) => it.querySelector("svg path[aria-roledescription], svg .mark-line path")?.getAttribute("d").length ?? 0);
    const short = await length();
    const grown = page.waitForFunction(
      (before) => (document.querySelector(".live-runs li svg .mark-line path")?.getAttribute("d").length ?? 0) > before,
      short,
    );
    await grown;
    await starting.getByText(/It has ended: finished/).waitFor();
    assert.equal(readdirSync(join(folder, "runs")).length, 2);
    assert.deepEqual(problems, []);
    await page.close();
  });

  it("says so when the server ends, and holds what it shows", { timeout: 2 * patience }, async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    await page.goto(address.href);
    await page.goto(`${address.origin}/#run-${base}`);
    await page.locator(`#run-${base}`).waitFor();
    assert.equal(await end(), 0);
    await page.getByText("The server has ended").waitFor();
    assert.ok(await page.locator(`#run-${base}`).isVisible());
    await page.close();
    address = await serve("--allow-runs");
  });

  it("shows nothing without the token, and starts nothing where it may not", { timeout: 2 * patience }, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const answer = await page.goto(address.origin + "/");
    assert.equal(answer.status(), 401);
    await context.close();
    await end();
    address = await serve();
    const reading = await browser.newPage();
    reading.setDefaultTimeout(patience);
    await reading.goto(`${address.origin}/#run-${base}`);
    await reading.locator(`#run-${base} button.open-run`).press("Enter");
    await reading.locator(".run-detail .train-form").waitFor();
    assert.equal(await reading.locator(".run-detail .starting").count(), 0);
    await reading.close();
  });
});
