// A table as CSV, in the form that `bnlab explain` reads, on the clipboard.
import type { Table } from "./trace";

function quoted(name: string): string {
  return /[",\r\n]|^\s|\s$/.test(name) ? `"${name.replace(/"/g, '""')}"` : name;
}

export function csvOf(columns: string[], table: Table): string {
  return [columns.map(quoted), ...table].map((row) => `${row.join(",")}\n`).join("");
}

/** Where a browser gives a file no clipboard, by the older way through a selection. */
function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  area.style.position = "fixed";
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}

/** Whether the text is on the clipboard now. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}
