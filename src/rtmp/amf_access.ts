/**
 * Looking at values that a peer sent without trusting their types (H9). Nothing here throws.
 * @module
 */

import { type Amf3Value, AmfAvmPlus, AmfProperties, type AmfValue } from "./amf_value.ts";

/** A value of either encoding. */
export type AnyAmf = AmfValue | Amf3Value;

function unwrap(value: AnyAmf): AnyAmf {
  return value instanceof AmfAvmPlus ? value.value : value;
}

/** The string, or null for every other type. */
export function stringOf(value: AnyAmf): string | null {
  const inner = unwrap(value);
  return typeof inner === "string" ? inner : null;
}

/** The number if it is finite, or null for NaN, the infinities and every other type. */
export function numberOf(value: AnyAmf): number | null {
  const inner = unwrap(value);
  return typeof inner === "number" && Number.isFinite(inner) ? inner : null;
}

/** The boolean, or null for every other type. */
export function booleanOf(value: AnyAmf): boolean | null {
  const inner = unwrap(value);
  return typeof inner === "boolean" ? inner : null;
}

/**
 * The named values of an object, ECMA array (Q18), typed object, AMF3 object or AMF3 array; null for
 * every other type.
 */
export function propertiesOf(value: AnyAmf): AmfProperties<AnyAmf> | null {
  const inner = unwrap(value);
  return inner instanceof AmfProperties ? inner : null;
}

/**
 * One named value of an object-like value: the exact name if it is there, else the first that differs
 * in case only (some clients write `tcurl`, Q18), else undefined. Also undefined if `value` has no
 * names at all.
 */
export function propertyOf(value: AnyAmf, key: string): AnyAmf {
  const properties = propertiesOf(value);
  if (properties === null) return undefined;
  if (properties.has(key)) return properties.get(key);
  const folded = key.toLowerCase();
  for (const [name, item] of properties) {
    if (name.length === key.length && name.toLowerCase() === folded) return item;
  }
  return undefined;
}
