// The page of a bnlab report: reads the report that bnlab wrote into the page and builds everything from it.
import "./style.css";
import "./tables.css";
import "./figures.css";
import "./media.css";
import { claimsSection } from "./claims";
import { contents } from "./contents";
import { el } from "./dom";
import { drawAll, drawWhenNear } from "./figure";
import { headerSection, howToRead } from "./header";
import { readReport, schemaVersions, type Report } from "./report";
import { runsSection } from "./runs";
import { termsSection } from "./terms";
import { tour } from "./tour";

declare global {
  interface Window {
    bnlabRenderAll: () => Promise<void>;
  }
}

function notice(text: string): HTMLElement {
  return el("p", { class: "notice", role: "alert" }, text);
}

function pageParts(report: Report): HTMLElement[] {
  const main = el(
    "main",
    {},
    report.schemaVersion !== null && schemaVersions.includes(report.schemaVersion)
      ? null
      : notice(
          `This page reads reports of versions ${schemaVersions.join(" and ")}; this one is of version ` +
            `${report.schemaVersion ?? "unknown"}, so parts of it may be missing.`,
        ),
    headerSection(report),
    ...tour(report),
    claimsSection(report),
    howToRead(),
    termsSection(),
    runsSection(report),
  );
  return [contents(report), main];
}

async function show(page: HTMLElement): Promise<void> {
  const json = document.getElementById("bnlab-report")?.textContent?.trim() ?? "";
  if (json === "") {
    page.append(notice("This page holds no report yet: `bnlab report DIR` writes one with the results in DIR."));
    return;
  }
  const report = readReport(json);
  document.title = `bnlab report: ${report.data}, ${report.scale} scale`;
  page.append(...pageParts(report));
  // The browser looked for the address's place before the page had one.
  if (location.hash.length > 1) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  await drawWhenNear();
  if (location.hash === "#all") await drawAll();
}

async function start(): Promise<void> {
  const page = document.getElementById("page");
  if (!page) return;
  window.bnlabRenderAll = () => drawAll();
  window.addEventListener("hashchange", () => location.hash === "#all" && void drawAll());
  try {
    await show(page);
  } catch (error) {
    page.append(notice(`This report cannot be read: ${error instanceof Error ? error.message : String(error)}`));
  }
  document.documentElement.dataset.rendered = "true";
}

void start();
