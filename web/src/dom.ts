// Small helpers that build page elements. Text always becomes a text node, so data can never be read as markup.

export type Child = Node | string | null;
type Attributes = Record<string, string | number | boolean | null>;

function fill(element: Element, attributes: Attributes, children: Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
}

/** An HTML element; attributes that are false or null are left out, and so are null children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** An SVG element, by the same rules as `el`. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

/** A row of header cells for a table. */
export function headerRow(...labels: string[]): HTMLTableSectionElement {
  return el("thead", {}, el("tr", {}, ...labels.map((label) => el("th", { scope: "col" }, label))));
}

/** A table that scrolls sideways by itself when the page is too narrow for it. */
export function scrollable(table: HTMLTableElement, label: string): HTMLElement {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
}

/** A name made safe for use as an element's id. */
export function anchor(...parts: string[]): string {
  return parts.join("-").replace(/[^A-Za-z0-9_.-]+/g, "_");
}
