/**
 * Tree to text and back.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseText } from "../../src/config/grammar/parser.ts";
import { printTree } from "../../src/config/grammar/print.ts";
import type { Directive, Word } from "../../src/config/grammar/tree.ts";

const PLACE = { source: { name: "generated", lines: [], includedFrom: null }, line: 1, column: 1 };

/** The tree with every place replaced: places are not part of what is printed. */
function placeless(directives: readonly Directive[]): Directive[] {
  return directives.map((directive) => ({
    ...directive,
    place: PLACE,
    args: directive.args.map((arg) => ({ ...arg, place: PLACE })),
    block: directive.block && placeless(directive.block),
  }));
}

const character = fc.oneof(
  fc.constantFrom(..." \t\r;{}#\"'\\ab直\uFEFF"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
const expressible = (word: string) => !(word.includes('"') && word.includes("'"));
const argument: fc.Arbitrary<Word> = fc.string({ unit: character, minLength: 1, maxLength: 8 })
  .filter((word) => expressible(word) && !word.includes("\n"))
  .map((text) => ({ text, place: PLACE }));
const name = fc.string({ unit: fc.oneof(character, fc.constant("\n")), minLength: 1, maxLength: 8 })
  .filter((word) => expressible(word) && word !== "include");

const tree = fc.letrec<{ tree: Directive[]; directive: Directive }>((tie) => ({
  tree: fc.array(tie("directive"), { maxLength: 4 }),
  directive: fc.record({
    name,
    place: fc.constant(PLACE),
    args: fc.array(argument, { maxLength: 4 }),
    block: fc.option(tie("tree"), { maxDepth: 3 }),
  }),
})).tree;

Deno.test("config printer: parsing what was printed gives the same tree", () => {
  fc.assert(
    fc.property(tree, (directives) => {
      const again = parseText("printed", printTree(directives)).directives;
      // The generator's records have no prototype; the copy has.
      assert.deepEqual(placeless(again), placeless(directives));
    }),
    { numRuns: 300 },
  );
});

Deno.test("config printer: layout", () => {
  const text =
    `listen 1935 "a b";\nvhost __defaultVhost__ {\n    play {\n        gop_cache off;\n    }\n    empty {\n    }\n}\n`;
  assert.equal(printTree(parseText("a", text).directives), text);
});

Deno.test("config printer: every kind of token that the parser makes can be printed", () => {
  const text = `a b"c'd '}' '#' '"' "'" '\\' "x y";\n"n\nm" o;\n`;
  const directives = parseText("a", text).directives;
  assert.deepEqual(
    placeless(parseText("b", printTree(directives)).directives),
    placeless(directives),
  );
});

Deno.test("config printer: a word that no syntax can express is refused", () => {
  for (const text of ["", "a\nb", ` "'`]) {
    const directive = { name: "a", place: PLACE, args: [{ text, place: PLACE }], block: null };
    assert.throws(() => printTree([directive]), RangeError);
  }
});
