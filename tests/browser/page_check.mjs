// Opens a page in Debian's Chromium and says everything that is wrong with what it shows: of any page its errors and
// requests and its width on a phone, of a report also its content.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(new URL("../../web/package.json", import.meta.url))("playwright-core");
const phoneWidth = 390;
const patience = 60_000;

/** A fresh browser with an empty profile, which does not look for updates by itself. */
export function openBrowser() {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Notes in `problems` whatever the page logs as an error or a warning, throws, or asks the network for. */
export function watch(page, url, problems) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error in the page: ${error.message}`));
  page.on("request", (request) => {
    const wanted = request.url();
    if (wanted.split("#")[0] !== url && !/^(data|blob):/.test(wanted)) problems.push(`request to ${wanted}`);
  });
}

/** What the page shows, as plain data (runs in the browser). */
function lookAtPage() {
  const report = JSON.parse(document.getElementById("bnlab-report").textContent || "null");
  const shapes = (plot) =>
    [...plot.querySelectorAll("svg [class*='role-mark'] :is(path, rect, line, circle, text, image)")].filter(
      (shape) => shape.tagName !== "path" || (shape.getAttribute("d") ?? "") !== "",
    );
  const broken = (plot) =>
    [...plot.querySelectorAll("svg *")].some((shape) =>
      [...shape.attributes].some((it) => /NaN|Infinity/.test(it.value)),
    );
  // The first screen shows one of them once more.
  const figures = [...document.querySelectorAll("figure:not(.in-short *)")].map((figure) => ({
    id: figure.id,
    error: figure.querySelector(".figure-error")?.textContent ?? null,
    shapes: shapes(figure).length,
    broken: broken(figure),
  }));
  for (const details of document.querySelectorAll("main details:not(.plot details)")) details.open = true;
  for (const button of document.querySelectorAll("button.fold[aria-expanded='false']")) button.click();
  const svgTexts = [...document.querySelectorAll("svg text")].map((text) => text.textContent);
  return {
    holdsReport: report !== null,
    wantedClaims: report?.claims?.length ?? 0,
    claims: document.querySelectorAll("table.claims tr.claim").length,
    wantedFigures: report?.figures?.length ?? 0,
    figures,
    text: [document.body.innerText, ...svgTexts].join("\n"),
  };
}

function figureProblems(figure) {
  if (figure.error !== null) return [`${figure.id}: ${figure.error}`];
  if (figure.shapes === 0) return [`${figure.id}: the figure shows no mark`];
  return figure.broken ? [`${figure.id}: a mark stands at a place that is not a number`] : [];
}

function contentProblems(seen) {
  if (!seen.holdsReport) return ["the page holds no report"];
  const problems = seen.figures.flatMap(figureProblems);
  if (seen.claims !== seen.wantedClaims) {
    problems.push(`the claims table has ${seen.claims} claims, the report ${seen.wantedClaims}`);
  }
  if (seen.figures.length !== seen.wantedFigures) {
    problems.push(`the page has ${seen.figures.length} figures, the report ${seen.wantedFigures}`);
  }
  for (const [, line] of seen.text.matchAll(/^(.*(?:\bNaN\b|\bundefined\b|\[object).*)$/gm)) {
    problems.push(`the page shows: ${line.trim()}`);
  }
  return problems;
}

function isRendered(page) {
  const rendered = () => document.documentElement.dataset.rendered === "true";
  return page.waitForFunction(rendered, null, { timeout: patience }).then(
    () => true,
    () => false,
  );
}

/** Narrows the window to a phone's. */
export async function widthProblems(page) {
  await page.setViewportSize({ width: phoneWidth, height: 800 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  return width <= phoneWidth ? [] : [`on a window of ${phoneWidth} pixels the page is ${width} wide`];
}

/**
 * Opens the report file, draws all of it, and returns a list of problems, empty if it is in order.
 * Options: screenshot (a PNG's path), width of the window, dark (the colour scheme).
 */
export async function checkReport(browser, file, { screenshot = null, width = 1280, dark = false } = {}) {
  const url = pathToFileURL(file).href;
  const problems = [];
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: dark ? "dark" : "light" });
  try {
    const page = await context.newPage();
    watch(page, url, problems);
    await page.goto(url);
    if (!(await isRendered(page))) return [...problems, `the page is not there after ${patience / 1000} s`];
    await page.evaluate(() => window.bnlabRenderAll());
    if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
    problems.push(...contentProblems(await page.evaluate(lookAtPage)), ...(await widthProblems(page)));
  } finally {
    await context.close();
  }
  return problems;
}
