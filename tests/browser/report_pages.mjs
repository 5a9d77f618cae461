// Pages with reports in them, for the tests of the report's page.
//
// BNLAB_VIEWER_PAGE names the built page without a report in it (by default web/dist/index.html).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openBrowser, watch } from "./page_check.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const dataTag = '<script type="application/json" id="bnlab-report">';
const viewer = readFileSync(process.env.BNLAB_VIEWER_PAGE ?? here("../../web/dist/index.html"), "utf8");
const sampleText = readFileSync(here("sample_report.json"), "utf8");

export const sample = () => JSON.parse(sampleText);

/** The page with this content in its data element, and more markup at its end. */
export function pageWith(content, markup = "") {
  const json = JSON.stringify(content).replaceAll("<", "\\u003c");
  const page = viewer.replace(dataTag, () => dataTag + json);
  const end = page.lastIndexOf("</body>");
  return page.slice(0, end) + markup + page.slice(end);
}

/** By the keyboard: figures drawn meanwhile move what stands below them away from under a pointer. */
export const press = (control) => control.press("Enter");

/** Waits until the page says that it is there. */
export const isThere = (page) => page.waitForFunction(() => document.documentElement.dataset.rendered === "true");

/** A browser and a folder for the pages that it shows; open() before the tests, close() after them. */
export class ReportPages {
  folder = mkdtempSync(join(tmpdir(), "bnlab-page-"));
  files = 0;

  async open() {
    this.browser = await openBrowser();
  }

  async close() {
    await this.browser.close();
    rmSync(this.folder, { recursive: true });
  }

  /** The file of a page with this report in it. */
  file(report, markup = "") {
    const file = join(this.folder, `report-${++this.files}.html`);
    writeFileSync(file, pageWith(report, markup));
    return file;
  }

  /** What `look` finds on the page; whatever the page complains of, or asks the network for, is an error. */
  async show(report, look, { hash = "", width = 1280, dark = false, problems = null, markup = "" } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: dark ? "dark" : "light",
      acceptDownloads: true,
    });
    const page = await context.newPage();
    const found = problems ?? [];
    try {
      const url = pathToFileURL(this.file(report, markup)).href;
      watch(page, url, found);
      await page.goto(url + hash);
      await isThere(page);
      const result = await look(page);
      if (!problems && found.length > 0) throw new Error(found.join("\n"));
      return result;
    } finally {
      await context.close();
    }
  }
}
