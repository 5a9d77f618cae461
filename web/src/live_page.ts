// The live page: the same page as the report in a file, brought up to date as the server tells of news.
import { LiveBar } from "./live_bar";
import { LiveClient } from "./live_client";
import { Page } from "./page";
import type { Report, Run } from "./report";

/** The report's runs as the server sees them now, then those that the report does not know. */
function merged(report: Report | null, client: LiveClient): Run[] {
  const known = (report?.runs ?? []).map((run): Run => {
    const now = client.runs.get(run.id);
    return now ? { ...run, ...now, seconds: now.seconds ?? run.seconds, spec: run.spec, curve: run.curve } : run;
  });
  const ids = new Set(known.map((run) => run.id));
  return [...known, ...[...client.runs.values()].filter((run) => !ids.has(run.id))];
}

export async function showLive(root: HTMLElement): Promise<void> {
  const client = new LiveClient();
  const page = new Page(root, client);
  const bar = new LiveBar(client);
  document.body.append(bar.element);
  let report: Report | null = null;
  let asked: Promise<void> | null = null;
  let again = false;

  const read = async () => {
    const next = await client.report();
    if (next) {
      const first = report === null;
      report = next;
      page.setRuns(merged(report, client));
      page.show(report);
      if (first) page.followFirst();
    } else if (!report) {
      page.wait();
      bar.open();
    }
  };
  // One question at a time; news that comes meanwhile is asked for after it.
  const refresh = (): Promise<void> => {
    again = asked !== null;
    asked ??= read()
      .catch(() => bar.showConnection())
      .finally(() => {
        asked = null;
        if (again) void refresh();
      });
    return asked;
  };

  const connected = new Promise<void>((resolve) => {
    client.listen({
      runs: () => {
        page.setRuns(merged(report, client));
        bar.update();
        resolve();
      },
      report: () => void refresh(),
      connection: () => {
        bar.showConnection();
        resolve();
      },
    });
  });
  await connected;
  await refresh();
}
