/**
 * The syntax tree of a configuration: directives with arguments, and blocks of directives.
 * @module
 */
import type { Place } from "./diagnostic.ts";

/** One argument and its place. */
export interface Word {
  readonly text: string;
  readonly place: Place;
}

/** `name arg… ;` or `name arg… { … }`. Includes are already replaced by their contents. */
export interface Directive {
  readonly name: string;
  /** The place of the name. */
  readonly place: Place;
  readonly args: readonly Word[];
  /** The directives between the braces. Null for a directive that ends with `;`. */
  readonly block: readonly Directive[] | null;
}

/** The directive in effect among several of one name: the first, as in SRS. */
export function firstNamed(block: readonly Directive[], name: string): Directive | undefined {
  return block.find((directive) => directive.name === name);
}
