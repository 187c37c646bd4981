/**
 * Numbers such as H7 in test names and comments have a line in tests/README.md, so that a reader needs no
 * other document.
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);
const README = "tests/README.md";
const THIS = "tests/unit/marks_test.ts";

/** Files that are read for numbers. Generated and packed files have no words of ours. */
const TEXT = /\.(?:ts|sh|md|css|html)$/;
const NOT_OURS = /^src\/servers\/http\/page\/embedded\/|^tests\/fuzz\/corpus\//;

/**
 * A letter of a table and a row of it. No row is 0: S0 is a packet of the handshake. S1 and S2, which
 * are packets too, are rows.
 */
const MARK = /(?<![\w.%#&\\])[FGHQS][1-9]\d?(?![\w])/g;

/** Words that point at a document outside of the repository. */
const OUTSIDE =
  /[(; ]spec: (?:rtmp|streaming|cluster|http|log|facts|FLV|SRS|\d)|\bfacts [A-Z]\d|\bDESIGN\b|\bspec\/\w+\.md/;

/** Files with text, by their path in the repository. */
function textFiles(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) return textFiles(`${path}/`);
    return TEXT.test(path) && !NOT_OURS.test(path) ? [path] : [];
  });
}

const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const marksIn = (text: string) => text.match(MARK) ?? [];

/** The rows of the tables of numbers: number and meaning. */
function rows(readme: string): [string, string][] {
  return Array.from(
    readme.matchAll(/^\| ([A-Z]\d+) +\| (.*?) *\|$/gm),
    ([, mark, meaning]) => [mark, meaning],
  );
}

const FILES = [...textFiles("src/"), ...textFiles("tests/")];

Deno.test("numbers are found in names and comments, and not in other words", () => {
  assert.deepEqual(marksIn('test("Q12, Q13: x (F1)", () => 0); // S7: H65.'), [
    "Q12",
    "Q13",
    "F1",
    "S7",
    "H65",
  ]);
  assert.deepEqual(marksIn("S0 H264 AH1 %F6 #F1 H.264 QoS1 0xF1"), []);
});

Deno.test(`every number in src/ and tests/ has one line in ${README}`, () => {
  const known = rows(read(README));
  const meanings = new Map(known);
  assert.equal(meanings.size, known.length, "a number has two lines");
  for (const [mark, meaning] of known) assert.match(meaning, /^.{20,}[.]$/, mark);

  const unknown = FILES.flatMap((path) =>
    marksIn(read(path)).filter((mark) => !meanings.has(mark)).map((mark) => `${path}: ${mark}`)
  );
  assert.deepEqual(unknown, [], `give each a line in ${README}`);
  assert.ok(FILES.length > 300, "files are read");
});

Deno.test("comments say what they mean, and point at no document outside of the repository", () => {
  const pointing = FILES.filter((path) => path !== THIS && OUTSIDE.test(read(path)));
  assert.deepEqual(pointing, []);
});
