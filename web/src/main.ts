// The page of a bnlab report: reads the report that bnlab wrote into the page and builds everything from it; or, from
// `bnlab serve`, asks the server for it.
import "./style.css";
import "./tables.css";
import "./figures.css";
import "./runs.css";
import "./live.css";
import "./media.css";
import { readAddress } from "./address";
import { drawAll, drawWhenNear } from "./figure";
import { showLive } from "./live_page";
import { notice, Page } from "./page";
import { readReport } from "./report";
import { ReportSource } from "./source";

declare global {
  interface Window {
    bnlabRenderAll: () => Promise<void>;
  }
}

function showFile(root: HTMLElement, content: unknown): void {
  const report = readReport(content);
  const page = new Page(root, new ReportSource(report));
  page.setRuns(report.runs);
  page.show(report);
  page.followFirst();
}

async function show(root: HTMLElement): Promise<void> {
  const json = document.getElementById("bnlab-report")?.textContent?.trim() ?? "";
  if (json === "") {
    root.append(notice("This page holds no report yet: `bnlab report DIR` writes one with the results in DIR."));
    return;
  }
  const content = JSON.parse(json) as { live?: unknown } | null;
  if (content?.live === true) await showLive(root);
  else showFile(root, content);
  await drawWhenNear();
  if (readAddress().place === "all") await drawAll();
}

async function start(): Promise<void> {
  const root = document.getElementById("page");
  if (!root) return;
  window.bnlabRenderAll = () => drawAll();
  window.addEventListener("hashchange", () => readAddress().place === "all" && void drawAll());
  try {
    await show(root);
  } catch (error) {
    root.append(notice(`This report cannot be read: ${error instanceof Error ? error.message : String(error)}`));
  }
  document.documentElement.dataset.rendered = "true";
}

void start();
