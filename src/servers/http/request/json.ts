/**
 * JSON as SRS prints it: compact, and floats always with two decimals, which JSON.stringify cannot do.
 * @module
 */

/** A number that is printed with exactly two decimals. */
export class Fixed2 {
  constructor(readonly value: number) {}
}

/** Whatever `stringify` prints. A plain number is an integer; a key that is undefined is left out. */
export type Json =
  | null
  | boolean
  | number
  | string
  | Fixed2
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** A float field: always two decimals. */
export function fixed2(value: number): Fixed2 {
  return new Fixed2(value);
}

/**
 * The JSON text, keys in the order of the object. Fractions of a plain number are cut off; a number
 * that JSON does not have (NaN, infinity) becomes 0.
 */
export function stringify(value: Json): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return String(Math.trunc(finite(value)));
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof Fixed2) return finite(value.value).toFixed(2);
  if (isArray(value)) return `[${value.map(stringify).join(",")}]`;
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${stringify(member)}`);
  }
  return `{${members.join(",")}}`;
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
