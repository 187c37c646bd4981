/**
 * The syntax tree of a configuration: directives with arguments, and blocks of directives.
 * @module
 */
import type { Place } from "./diagnostic.ts";

/** One argument and where it stands. */
export interface Word {
  readonly text: string;
  readonly place: Place;
}

/** `name arg… ;` or `name arg… { … }`. Includes are already spliced in. */
export interface Directive {
  readonly name: string;
  /** Where the name stands. */
  readonly place: Place;
  readonly args: readonly Word[];
  /** The directives between the braces; null for a directive that ends with `;`. */
  readonly block: readonly Directive[] | null;
}

/** The directive that counts among several of one name: the first, as in SRS. */
export function firstNamed(block: readonly Directive[], name: string): Directive | undefined {
  return block.find((directive) => directive.name === name);
}
