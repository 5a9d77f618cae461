// node tests/browser/check_report.mjs REPORT.html [--screenshot FILE.png] [--width PIXELS] [--dark]
//
// Exit 0 if the report shows everything it holds without an error or a request to another place; else 1, with what is
// wrong.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { checkReport, openBrowser } from "./page_check.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { screenshot: { type: "string" }, width: { type: "string", default: "1280" }, dark: { type: "boolean" } },
});
if (positionals.length !== 1) {
  console.error("usage: node check_report.mjs REPORT.html [--screenshot FILE.png] [--width PIXELS] [--dark]");
  process.exit(2);
}

const browser = await openBrowser();
try {
  const problems = await checkReport(browser, resolve(positionals[0]), {
    screenshot: values.screenshot,
    width: Number(values.width),
    dark: values.dark,
  });
  for (const problem of problems) console.error(problem);
  console.log(problems.length === 0 ? "the report is in order" : `problems: ${problems.length}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await browser.close();
}
