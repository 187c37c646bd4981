/**
 * What a user may have meant by a name that is not known, of a directive or of an option.
 * @module
 */
import { quote } from "./diagnostic.ts";
import { allDirectives, type Entry, entryOf } from "./directives.ts";
import type { Block } from "./spec.ts";
import { CONFIG } from "./table_root.ts";

/** Names longer than this are not compared: no directive comes near it. */
const LONGEST_COMPARED = 64;

/** Homes that are named for a directive in the wrong block; `enabled` has too many to be of help. */
const MAX_HOMES = 3;

/** The text of an error for a name that is unknown in a block. */
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

/** Where a name is at home, among what this server offers; empty when it is nowhere or everywhere. */
function homesOf(name: string): string[] {
  const homes = honoured().filter((entry) => entry.name === name).map(({ parent }) =>
    nameOf(parent)
  );
  return homes.length > MAX_HOMES ? [] : homes;
}

/** Names that have few enough homes to point at. */
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

/** The candidate with the fewest typing errors, or null when none is close enough to be meant. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  if (name.length > LONGEST_COMPARED) return null;
  // One error in three or four characters is a slip; more is another word.
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

/** The long option that the first unknown one of a command line may be: `, did you mean ...?`, or "". */
export function optionHint(args: readonly string[], names: readonly string[]): string {
  for (const arg of args) {
    const name = /^--?([a-z][\w-]+)/i.exec(arg)?.[1];
    if (name === undefined || (arg.startsWith("--") && names.includes(name))) continue;
    const near = nearest(name.toLowerCase(), names);
    if (near !== null) return `, did you mean "--${near}"?`;
  }
  return "";
}

/** Typing errors between two words: characters left out, added, replaced, or swapped with a neighbour. */
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
