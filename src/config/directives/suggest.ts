/**
 * Suggestions for an unknown name of a directive or an option.
 * @module
 */
import { quote } from "../grammar/diagnostic.ts";
import { allDirectives, type Entry, entryOf } from "./directives.ts";
import type { Block } from "./spec.ts";
import { CONFIG } from "./root.ts";

/** Longest name that is compared, characters. All directives are much shorter. */
const LONGEST_COMPARED = 64;

/** Most blocks that a message names for a misplaced directive. `enabled` has too many to help. */
const MAX_HOMES = 3;

/** The error text for a name that is unknown in a block. */
export function unknownDirective(name: string, block: Block): string {
  const head = `unknown directive ${quote(name)}`;
  const homes = homesOf(name);
  if (homes.length > 0) return `${head} in ${nameOf(block)}: it belongs in ${homes.join(" or ")}`;
  const near = nearest(name, Object.keys(block.children));
  if (near !== null) return `${head}, did you mean "${near}"?`;
  const elsewhere = nearest(name, honouredNames());
  if (elsewhere !== null) {
    return `${head}, did you mean "${elsewhere}" in ${homesOf(elsewhere).join(" or ")}?`;
  }
  return `${head} in ${nameOf(block)}: SRS has none of that name there, remove it`;
}

/** The blocks that offer a directive of this name. Empty when there are none or too many. */
function homesOf(name: string): string[] {
  const homes = honoured().filter((entry) => entry.name === name).map(({ parent }) =>
    nameOf(parent)
  );
  return homes.length > MAX_HOMES ? [] : homes;
}

/** Names that few enough blocks offer. */
function honouredNames(): string[] {
  return [...new Set(honoured().map(({ name }) => name))].filter((name) =>
    homesOf(name).length > 0
  );
}

function honoured(): Entry[] {
  return allDirectives().filter(({ status }) => status === "honoured");
}

function nameOf(block: Block): string {
  return block === CONFIG ? "the top level of the file" : `${entryOf(block).path} { }`;
}

/** The candidate with the fewest typing errors. Null when none is close enough. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  if (name.length > LONGEST_COMPARED) return null;
  // One error in three or four characters is a typing error. More errors make another word.
  let allowed = Math.ceil(name.length / 4);
  let best: string | null = null;
  for (const candidate of candidates) {
    const errors = distance(name, candidate);
    if (errors <= allowed) {
      best = candidate;
      allowed = errors - 1;
    }
  }
  return best;
}

/** A suggestion for the first unknown long option of a command line: `, did you mean ...?`, or "". */
export function optionHint(args: readonly string[], names: readonly string[]): string {
  for (const arg of args) {
    const name = /^--?([a-z][\w-]+)/i.exec(arg)?.[1];
    if (name === undefined || (arg.startsWith("--") && names.includes(name))) continue;
    const near = nearest(name.toLowerCase(), names);
    if (near !== null) return `, did you mean "--${near}"?`;
  }
  return "";
}

/**
 * Counts typing errors between two words: characters left out, added, replaced, or swapped with a
 * neighbour.
 */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, last[j] + 1, row[j - 1] + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
