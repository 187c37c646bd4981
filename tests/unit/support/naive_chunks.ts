/**
 * A chunk encoder written from the RTMP document, for what the server's own writer never does: types 1
 * to 3, long chunk stream ids, interleaving. Slow and plain.
 * @module
 */

import { concat } from "../hex.ts";

/** Big-endian bytes of a number. */
export function be(value: number, bytes: number): number[] {
  const out: number[] = [];
  for (let i = bytes - 1; i >= 0; i--) out.push(Math.floor(value / 256 ** i) % 256);
  return out;
}

/** The basic header; `form` forces the 2- or 3-byte form where there is a choice. */
export function basic(fmt: number, csid: number, form: 1 | 2 | 3 = csid < 64 ? 1 : 3): number[] {
  if (csid < 64) return [(fmt << 6) | csid];
  const rest = csid - 64;
  if (form === 2 && rest < 256) return [fmt << 6, rest];
  return [(fmt << 6) | 1, rest % 256, Math.floor(rest / 256)];
}

/** The fields of a message header; those that a type does not have are not written. */
export interface Fields {
  readonly csid?: number;
  /** The timestamp or delta as it is to stand there; from 0xFFFFFF on in the extended field. */
  readonly time?: number;
  readonly length?: number;
  readonly type?: number;
  readonly msid?: number;
  readonly form?: 1 | 2 | 3;
  /** The extended field of a type-3 chunk. */
  readonly repeated?: number;
}

/** One chunk. */
export function chunk(fmt: 0 | 1 | 2 | 3, fields: Fields, data: Uint8Array | string): Uint8Array {
  const { csid = 4, time = 0, length = 0, type = 8, msid = 1, repeated } = fields;
  const header = basic(fmt, csid, fields.form);
  const extended = time >= 0xffffff;
  if (fmt < 3) header.push(...be(extended ? 0xffffff : time, 3));
  if (fmt < 2) header.push(...be(length, 3), type);
  if (fmt < 1) header.push(...be(msid, 4).reverse());
  if (fmt < 3 && extended) header.push(...be(time, 4));
  if (fmt === 3 && repeated !== undefined) header.push(...be(repeated, 4));
  return concat(Uint8Array.from(header), data);
}
