// Lenient reading of JSON: what is missing or of another type becomes an empty value.

export type Fields = Record<string, unknown>;

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function list<T>(value: unknown, read: (item: unknown) => T): T[] {
  return Array.isArray(value) ? value.map(read) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

export function real(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function realOrText(value: unknown): number | string | null {
  return typeof value === "string" ? value : real(value);
}
