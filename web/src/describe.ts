// What a chart shows, in words, for those who do not see it: its axes, its arms, how many panels.
import { armGroups } from "./arms";
import { isObject, markOf, panelsOf, panelTitle, units, type Spec, type Unit } from "./chart_parts";
import { count } from "./format";
import type { Figure } from "./report";

const marks: Record<string, string> = {
  line: "lines",
  area: "areas",
  point: "points",
  circle: "points",
  bar: "bars",
  rect: "coloured cells",
  tick: "ticks",
};

const mostNamed = 8;

function list(words: string[]): string {
  const named = words.slice(0, mostNamed);
  return words.length > mostNamed ? `${named.join("; ")}; and ${words.length - mostNamed} more` : named.join("; ");
}

function axisTitle(definition: Spec): string {
  const { title, axis, field } = definition;
  if (typeof title === "string") return title;
  if (isObject(axis) && typeof axis.title === "string") return axis.title;
  return title === null ? "" : String(field ?? "");
}

function distinct(all: Unit[], words: (unit: Unit) => string[]): string[] {
  return [...new Set(all.flatMap(words))].filter((word) => word !== "");
}

function axis(all: Unit[], channel: string): string[] {
  return distinct(all, ({ encoding }) => {
    const definition = encoding[channel];
    if (definition === undefined || definition.field === undefined) return [];
    const isLog = isObject(definition.scale) && definition.scale.type === "log";
    const title = axisTitle(definition);
    return title === "" ? [] : [isLog ? `${title} (logarithmic)` : title];
  });
}

function colors(all: Unit[]): string[] {
  return distinct(all, ({ encoding: { color } }) => {
    if (color?.type !== "quantitative" || !isObject(color.legend)) return [];
    return typeof color.legend.title === "string" ? [color.legend.title] : [];
  });
}

/** "Title. Caption. Chart of lines; across: …; up: …; arms: …", each sentence once. */
export function describe(figure: Figure, spec: Spec): string {
  const all = units(spec);
  const kinds = distinct(all, (unit) => [marks[markOf(unit)] ?? ""]);
  const panels = panelsOf(spec);
  const parts = [
    `Chart of ${kinds.length > 0 ? kinds.join(" and ") : "marks"}` +
      (panels.length > 1 ? ` in ${count(panels.length, "panel")}: ${list(panels.map(panelTitle))}` : ""),
  ];
  const say = (name: string, words: string[]) => words.length > 0 && parts.push(`${name}: ${list(words)}`);
  say("across", axis(all, "x"));
  say("up", axis(all, "y"));
  say("colour", colors(all));
  for (const { title, names } of armGroups(spec)) say(title.toLowerCase(), names);
  const sentences = [figure.title, figure.caption, parts.join(". ")].filter((text) => text !== "");
  return sentences.map((text) => text.replace(/([^.?!])$/, "$1.")).join(" ");
}
