/**
 * Prints a tree as text that parses to the same tree.
 * @module
 */
import type { Directive } from "./tree.ts";

const INDENT = "    ";

/**
 * The text of a list of directives, without comments and includes, which the parser does not keep.
 * Throws RangeError for a word that SRS's syntax cannot express. The parser never returns such a word.
 */
export function printTree(directives: readonly Directive[]): string {
  return directives.map((directive) => printDirective(directive, "")).join("");
}

function printDirective({ name, args, block }: Directive, indent: string): string {
  const words = [printWord(name, true), ...args.map((arg) => printWord(arg.text, false))];
  const head = indent + words.join(" ");
  if (block === null) return `${head};\n`;
  const body = block.map((child) => printDirective(child, indent + INDENT)).join("");
  return `${head} {\n${body}${indent}}\n`;
}

function printWord(word: string, isName: boolean): string {
  if (/^[^ \t\r\n;{}#"'\uFEFF][^ \t\r\n;{]*$/.test(word)) return word;
  const expressible = word !== "" && (isName || !word.includes("\n"));
  if (expressible && !word.includes('"')) return `"${word}"`;
  if (expressible && !word.includes("'")) return `'${word}'`;
  throw new RangeError(
    `the word ${JSON.stringify(word)} cannot be written in a configuration file`,
  );
}
