/**
 * Byte literals for tests.
 * @module
 */

import { Buffer } from "node:buffer";

/** The bytes of a hex text; spaces are for the reader. */
export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}

/** The hex text of bytes, without spaces. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Bytes put together from hex texts, plain texts behind `'`, and byte arrays. */
export function concat(...pieces: (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces.map((piece) => {
    if (typeof piece !== "string") return piece;
    return piece.startsWith("'") ? Buffer.from(piece.slice(1), "utf8") : hex(piece);
  })));
}
