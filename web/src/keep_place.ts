// A reader's place while the page changes under them: what is unfolded, where the keyboard is, what stands where on
// the screen.

/** Whether two parts of reports say the same. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** The folds of the new element open as those of the old one are. */
export function keepFolds(old: Element, fresh: Element): void {
  const folds = new Map<string, boolean>();
  const name = (fold: HTMLDetailsElement) => `${fold.className} ${fold.closest("figure")?.id ?? ""}`;
  for (const fold of old.querySelectorAll("details")) folds.set(name(fold), fold.open);
  for (const fold of fresh.querySelectorAll("details")) fold.open = folds.get(name(fold)) ?? fold.open;
}

/** The way from the nearest element with an id down to the element, by the number of each child. */
function pathTo(element: Element): { id: string; steps: number[] } | null {
  const steps: number[] = [];
  for (let at: Element | null = element; at; at = at.parentElement) {
    if (at.id !== "") return { id: at.id, steps };
    const parent: Element | null = at.parentElement;
    if (parent) steps.unshift([...parent.children].indexOf(at));
  }
  return null;
}

function follow({ id, steps }: { id: string; steps: number[] }): Element | null {
  return steps.reduce<Element | null>((at, step) => at?.children[step] ?? null, document.getElementById(id));
}

/** An element with an id near the upper edge of the window, and how far below it. */
function landmark(): { id: string; top: number } | null {
  for (const element of document.querySelectorAll("main [id]")) {
    const { top, bottom, height } = element.getBoundingClientRect();
    if (height > 0 && bottom > 0 && top >= 0) return { id: element.id, top };
  }
  return null;
}

/** Makes the change; the keyboard's focus and what stands on the screen stay where they were. */
export function keepingPlace(change: () => void): void {
  const focused = document.activeElement;
  const path = focused && focused !== document.body ? pathTo(focused) : null;
  const mark = window.scrollY > 0 ? landmark() : null;
  change();
  if (path && document.activeElement !== focused) {
    const again = follow(path);
    if (again instanceof HTMLElement && again.tagName === focused?.tagName) again.focus({ preventScroll: true });
  }
  const moved = mark ? document.getElementById(mark.id)?.getBoundingClientRect().top : undefined;
  if (mark && moved !== undefined && moved !== mark.top) window.scrollBy(0, moved - mark.top);
}
