// Hiding the arms and seeds of a chart: which there are, and the chart without some of them. The others keep their
// colours, and the legend goes on naming all.
import { isObject, mapEncodings, mapParts, units, type Spec, type Unit } from "./chart_parts";

export interface ArmGroup {
  field: string;
  title: string;
  names: string[];
  /** Colour of each name where the chart fixes it. */
  colors: Map<string, string>;
}

const channels = ["color", "stroke", "fill", "strokeDash", "shape"];

function isLegend(definition: Spec | undefined): definition is Spec & { field: string } {
  return (
    definition !== undefined &&
    typeof definition.field === "string" &&
    (definition.type === "nominal" || definition.type === "ordinal") &&
    definition.legend !== null
  );
}

function valuesOf(unit: Unit, field: string): string[] {
  return unit.rows.flatMap((row) => {
    const value = row[field];
    return typeof value === "string" || typeof value === "number" ? [String(value)] : [];
  });
}

function scaleLists(definition: Spec): { domain: string[]; range: unknown[] } {
  const scale = isObject(definition.scale) ? definition.scale : {};
  return {
    domain: Array.isArray(scale.domain) ? scale.domain.map(String) : [],
    range: Array.isArray(scale.range) ? scale.range : [],
  };
}

function title(field: string): string {
  return field === "arm" ? "Arms" : field === "seed" ? "Seeds" : field.charAt(0).toUpperCase() + field.slice(1);
}

/** The groups of which some can be hidden: what a legend names, and the seeds. */
export function armGroups(spec: Spec): ArmGroup[] {
  const all = units(spec);
  const fields = new Map<string, { ordered: Set<string>; colors: Map<string, string> }>();
  const group = (field: string) => {
    if (!fields.has(field)) fields.set(field, { ordered: new Set(), colors: new Map() });
    return fields.get(field)!;
  };
  for (const unit of all) {
    for (const channel of channels) {
      const definition = unit.encoding[channel];
      if (!isLegend(definition)) continue;
      const { ordered, colors } = group(definition.field);
      const { domain, range } = scaleLists(definition);
      domain.forEach((name, i) => {
        ordered.add(name);
        if (channel === "color" && typeof range[i] === "string") colors.set(name, range[i]);
      });
      for (const name of valuesOf(unit, definition.field)) ordered.add(name);
    }
    if (valuesOf(unit, "seed").length > 0) for (const name of valuesOf(unit, "seed")) group("seed").ordered.add(name);
  }
  return [...fields]
    .map(([field, { ordered, colors }]) => {
      const present = new Set(all.flatMap((unit) => valuesOf(unit, field)));
      return { field, title: title(field), names: [...ordered].filter((name) => present.has(name)), colors };
    })
    .filter(({ names }) => names.length > 1);
}

/** What is hidden, as "field:name". */
export function hiddenKey(field: string, name: string): string {
  return `${field}:${name}`;
}

function hiddenNames(hidden: string[], group: ArmGroup): string[] {
  return group.names.filter((name) => hidden.includes(hiddenKey(group.field, name)));
}

function without(spec: Spec, group: ArmGroup, names: string[]): Spec {
  // A seed may be stored as a number, its name here is a text.
  const values = names.flatMap((name) =>
    name !== "" && Number.isFinite(Number(name)) ? [name, Number(name)] : [name],
  );
  const filter = { filter: { not: { field: group.field, oneOf: values } } };
  const transform = Array.isArray(spec.transform) ? spec.transform : [];
  return { ...spec, transform: [...transform, filter] };
}

function withWholeLegend(spec: Spec, group: ArmGroup, names: string[]): Spec {
  return mapEncodings(spec, (channel, definition) => {
    if (!channels.includes(channel) || definition.field !== group.field || !isLegend(definition)) return definition;
    const { domain } = scaleLists(definition);
    const legend = isObject(definition.legend) ? definition.legend : {};
    const labelExpr = `indexof(${JSON.stringify(names)}, datum.label) < 0 ? datum.label : datum.label + ' (hidden)'`;
    const scale = isObject(definition.scale) ? definition.scale : {};
    return {
      ...definition,
      scale: { ...scale, domain: domain.length > 0 ? scale.domain : group.names },
      legend: { ...legend, labelExpr },
    };
  });
}

/** The chart without what is hidden. */
export function withoutArms(spec: Spec, hidden: string[]): Spec {
  let shown = spec;
  for (const group of armGroups(spec)) {
    const names = hiddenNames(hidden, group);
    if (names.length === 0) continue;
    const affected = new Set(
      units(shown).flatMap(({ spec: part, rows }) => (rows.some((row) => group.field in row) ? [part] : [])),
    );
    shown = mapParts(shown, (part, original) => (affected.has(original) ? without(part, group, names) : part));
    shown = withWholeLegend(shown, group, names);
  }
  return shown;
}
