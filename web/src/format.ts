// Numbers, times and dates as the page writes them: a true minus sign, thin spaces in long numbers, "–" for what is
// not known.

export const unknown = "–";

function withSigns(text: string): string {
  return text.replace(/-/g, "\u2212");
}

/** Fixed decimals for ordinary sizes, powers of ten for the very large and the very small. */
export function fixed(value: number | null, decimals: number): string {
  if (value === null) return unknown;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return scientific(value);
  const text = value.toFixed(decimals);
  return withSigns(Number(text) === 0 ? text.replace("-", "") : text);
}

function scientific(value: number, decimals = 2): string {
  const [mantissa = "", exponent = ""] = value.toExponential(decimals).split("e");
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const raised = exponent
    .replace("+", "")
    .replace("-", "⁻")
    .replace(/\d/g, (digit) => digits[Number(digit)] ?? "");
  return `${withSigns(String(Number(mantissa)))}\u2009·\u200910${raised}`;
}

/** A number by itself, to `digits` significant digits (powers of ten: at least 3), without trailing zeros. */
export function number(value: number | null, digits = 3): string {
  if (value === null) return unknown;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return scientific(value, Math.max(digits, 3) - 1);
  if (size >= 10 ** digits) return withSigns(String(Math.round(value)));
  return withSigns(String(Number(value.toPrecision(digits))));
}

/** How many decimals show two to three significant digits of an interval's width. */
export function decimalsFor(width: number): number {
  if (!(width > 0)) return 2;
  return Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(width) + 0.5)));
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${grouped(n)} ${n === 1 ? one : many}`;
}

/** The text with its first letter large. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function grouped(n: number): string {
  const digits = String(Math.round(n));
  return digits.length > 4 ? withSigns(digits.replace(/\B(?=(\d{3})+$)/g, "\u202f")) : withSigns(digits);
}

export function duration(seconds: number | null): string {
  if (seconds === null) return unknown;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "2026-11-23T12:00:00Z" as "23 November 2026, 12:00 UTC"; a text that is no date stays as it is. */
export function date(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const day = time.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  return `${day}, ${time.toISOString().slice(11, 16)} UTC`;
}
