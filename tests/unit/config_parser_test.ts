/**
 * Text to tree: SRS's lexical rules, its parse errors, include, and the limits.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, ConfigErrorCode } from "../../src/config/grammar/diagnostic.ts";
import { parseFile, parseText, type ReadFile } from "../../src/config/grammar/parser.ts";
import type { Directive } from "../../src/config/grammar/tree.ts";

/** A tree without places: [name, arguments, children]. */
type Plain = [string, string[], Plain[] | null];

function plain(directives: readonly Directive[]): Plain[] {
  return directives.map(({ name, args, block }) => [
    name,
    args.map((arg) => arg.text),
    block && plain(block),
  ]);
}

function parsed(text: string): Plain[] {
  return plain(parseText("a.conf", text).directives);
}

function failure(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** A reader of files that are given as a record. */
function files(contents: Record<string, string>): ReadFile {
  return (path) => {
    const text = contents[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  };
}

const LEXICAL: [what: string, text: string, tree: Plain[]][] = [
  ["separators", "a\tb  c;\r\nd;", [["a", ["b", "c"], null], ["d", [], null]]],
  ["a CR is a separator", "a\rb;", [["a", ["b"], null]]],
  ["UTF-8", "vhost 直播 {}", [["vhost", ["直播"], []]]],
  ["a comment up to the end of the line", "# x; {\na; # y\nb;#z", [["a", [], null], [
    "b",
    [],
    null,
  ]]],
  ["# within a token", "a b#c;#d", [["a", ["b#c"], null]]],
  ["} does not end a token", "a { enabled on}; }", [["a", [], [["enabled", ["on}"], null]]]]],
  ["{ ends a token", "vhost a{enabled off;}", [["vhost", ["a"], [["enabled", ["off"], null]]]]],
  ["blocks on one line", "a{b{c;}}d;", [
    ["a", [], [["b", [], [["c", [], null]]]]],
    ["d", [], null],
  ]],
  ["double quotes", `a "b c;{}#'d";`, [["a", ["b c;{}#'d"], null]]],
  ["single quotes", `a 'b "c"';`, [["a", ['b "c"'], null]]],
  ["no escapes", `a "b\\" c;`, [["a", ["b\\", "c"], null]]],
  ["a quoted name", `"a b" c;`, [["a b", ["c"], null]]],
  ["; after a closing quote", `a "b";`, [["a", ["b"], null]]],
  ["{ after a closing quote", `a "b"{}`, [["a", ["b"], []]]],
  ["a quote within a token", `a b"c d'e;`, [["a", [`b"c`, "d'e"], null]]],
  ["an empty quotation is nothing", `a "" '' b;`, [["a", ["b"], null]]],
  ["an empty quotation is no name", `"" a b;`, [["a", ["b"], null]]],
  ["a newline in the name", `"a\nb" c;`, [["a\nb", ["c"], null]]],
  ["an empty block", "a {\n}\n", [["a", [], []]]],
  ["no newline at the end", "a {b;}", [["a", [], [["b", [], null]]]]],
];

for (const [what, text, tree] of LEXICAL) {
  Deno.test(`config lexer: ${what}`, () => assert.deepEqual(parsed(text), tree));
}

const ERRORS: [what: string, text: string, line: number, column: number, message: RegExp][] = [
  ["newline before ;", "listen\n1935;", 1, 7, /unexpected end of line to parse token "listen"/],
  ["missing ;", "listen 1935\nvhost a {}", 1, 12, /unexpected end of line to parse token "listen"/],
  ["newline before {", "vhost a\n{}", 1, 8, /unexpected end of line to parse token "vhost"/],
  ["comment before ;", "a b # c\n;", 1, 4, /unexpected end of line to parse token "a"/],
  ["newline in a quoted argument", `a "b\nc";`, 1, 3, /unexpected end of line to parse token "a"/],
  ["end of file within a leaf", "x;\n a b", 2, 5, /unexpected end of file, expecting ; or "}"/],
  ["end of file after a quotation", `a "b"`, 1, 6, /unexpected end of file, expecting ; or "}"/],
  [
    "end of file within a block",
    "x;\na {\n b {\n}\n",
    2,
    1,
    /unexpected end of file, expecting "}".*"a"/,
  ],
  ["end of file within a quotation", `x;\na "b;`, 2, 3, /unexpected end of file: .* no closing "/],
  ["} without a block", "a;\n}", 2, 1, /unexpected "}"/],
  ["} after arguments", "a { enabled on }", 1, 16, /unexpected '}'/],
  ["} after a closing quote", `a { b "c"} }`, 1, 10, /unexpected "}" after a closing quote/],
  ["text after a closing quote", `a "b"c;`, 1, 6, /unexpected "c" after a closing quote/],
  ["a lone ;", "a;\n ;", 2, 2, /unexpected ';'/],
  ["; after a block", "a {};", 1, 5, /unexpected ';'/],
  ["an empty quotation and ;", `"";`, 1, 3, /unexpected ';'/],
  ["a lone {", "{}", 1, 1, /unexpected '{'/],
  ["an empty include", "a {\n include;\n}", 2, 2, /include is empty directive/],
  ["include with a block", "include a {}", 1, 11, /include has no block/],
];

for (const [what, text, line, column, message] of ERRORS) {
  Deno.test(`config parser: error: ${what}`, () => {
    const { diagnostics, code } = failure(() => parseText("a.conf", text));
    assert.equal(diagnostics.length, 1);
    const [first] = diagnostics;
    assert.equal(`${first.file}:${first.line}:${first.column}`, `a.conf:${line}:${column}`);
    assert.match(first.message, message);
    assert.equal(code, ConfigErrorCode.INVALID);
  });
}

Deno.test("config parser: every token knows its place", () => {
  const [vhost] = parseText("a.conf", "# é\n\nvhost 'a'\tb {\r\n\tplay {}\n}").directives;
  assert.deepEqual([vhost.place.line, vhost.place.column], [3, 1]);
  assert.deepEqual(vhost.args.map(({ place }) => [place.line, place.column]), [[3, 7], [3, 11]]);
  assert.deepEqual(vhost.block?.map(({ place }) => [place.line, place.column]), [[4, 2]]);
});

Deno.test("config diagnostic: the line is shown with a caret under the place", () => {
  const { diagnostics: [first] } = failure(() => parseText("a.conf", "a;\n\tlisten 1935\r\n"));
  const shown = first.format({ source: true }).split("\n");
  assert.equal(shown[0].startsWith("a.conf:2:13: unexpected end of line"), true);
  assert.deepEqual(shown.slice(1), ["    \tlisten 1935", `    \t${" ".repeat(11)}^`]);
});

Deno.test("config diagnostic: a long line is cut around the caret, a long word is cut", () => {
  const { diagnostics: [first] } = failure(() =>
    parseText("a.conf", `${"a;".repeat(5000)} x${"y".repeat(5000)}`)
  );
  assert.ok(first.format({ source: true }).length < 500);
});

Deno.test("config include: several files, any block, spliced in place", () => {
  const tree = parseFile(
    "main.conf",
    files({
      "main.conf": "a; include x.conf y.conf;\nvhost v { include play.conf; b; }",
      "x.conf": "x;",
      "y.conf": "# nothing\n",
      "play.conf": "play { gop_cache off; }\n",
    }),
  );
  assert.deepEqual(plain(tree.directives), [
    ["a", [], null],
    ["x", [], null],
    ["vhost", ["v"], [["play", [], [["gop_cache", ["off"], null]]], ["b", [], null]]],
  ]);
  assert.deepEqual(tree.files, ["main.conf", "x.conf", "y.conf", "play.conf"]);
});

Deno.test("config include: each file is a complete unit", () => {
  const unbalanced = files({ "m": "vhost a {\n include x;\n}", "x": "play {", "y": "}" });
  const open = failure(() => parseFile("m", unbalanced)).diagnostics[0];
  assert.equal(open.format({ source: true }).split("\n").at(-1), "    included from m:2:10");
  assert.equal(open.format().startsWith('x:1:1: unexpected end of file, expecting "}"'), true);
  const closing = failure(() => parseText("m", "a { include y;", unbalanced)).diagnostics[0];
  assert.match(closing.format(), /^y:1:1: unexpected "}"/);
});

Deno.test("config include: a file that cannot be read names the place and has SRS's code", () => {
  const error = failure(() => parseText("m", "\n include nowhere;", files({})));
  assert.equal(error.code, ConfigErrorCode.FILE_OPEN);
  assert.match(
    error.message,
    /^m:2:10: cannot read the included file "nowhere": no such file; a relative/,
  );
});

Deno.test("config include: no main file", () => {
  const error = failure(() => parseFile("conf/x.conf", files({})));
  assert.equal(error.code, ConfigErrorCode.INVALID);
  assert.match(error.message, /no config file at conf\/x\.conf/);
});

Deno.test("config include: a cycle is refused", () => {
  const read = files({ "a": "x; include ./b;", "./b": "include .//a;" });
  assert.match(
    failure(() => parseFile("a", read)).message,
    /^\.\/b:1:9: .*includes itself \(a -> b -> a\)/,
  );
});

Deno.test("config include: endless different spellings end at the depth limit", () => {
  const read: ReadFile = (path) => `include x/../${path};`;
  assert.match(
    failure(() => parseFile("a", read)).message,
    /more than 16 files include each other/,
  );
});

Deno.test("config include: files that multiply end at the file limit", () => {
  const read: ReadFile = (path) => path.length > 9 ? "" : `include ${`${path}x `.repeat(10)};`;
  assert.match(failure(() => parseFile("a", read)).message, /more than 1000 files are included/);
});

Deno.test("config limits: size, directives, nesting", () => {
  const rows: [string, RegExp][] = [
    ["#".repeat(5 * 1024 * 1024), /larger than 4194304 characters/],
    ["a;".repeat(100_001), /more than 100000 directives/],
    ["a{".repeat(100_000), /nested deeper than 32/],
  ];
  for (const [text, message] of rows) {
    assert.match(failure(() => parseText("m", text)).message, message);
  }
});

/** Text that is likely to be nearly right. */
const configText = fc.array(
  fc.oneof(
    fc.constantFrom(
      "{",
      "}",
      ";",
      " ",
      "\n",
      "\t",
      "\r\n",
      '"',
      "'",
      "#",
      "include ",
      "a.conf",
      "\\",
      "\uFEFF",
    ),
    fc.constantFrom(
      "listen",
      "vhost",
      "play",
      "gop_cache",
      "on",
      "1935",
      "__proto__",
      "constructor",
    ),
    fc.string({ maxLength: 3 }),
  ),
  { maxLength: 40 },
).map((parts) => parts.join(""));

Deno.test("config parser: no text makes it throw anything but ConfigError", () => {
  fc.assert(
    fc.property(configText, configText, (main, included) => {
      try {
        parseText("main.conf", main, () => included);
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(error.diagnostics[0].format({ source: true }).length > 0);
      }
    }),
    { numRuns: 1000 },
  );
});

/** One directive as text that parses. */
const directiveText = fc.letrec<{ directive: string }>((tie) => ({
  directive: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("a;", "b c d;", `e "f g";`),
    fc.array(tie("directive"), { maxLength: 3 }).map((children) =>
      `block x {\n${children.join("\n")}\n}`
    ),
  ),
})).directive;

Deno.test("config include: splitting a file gives the same tree as one file", () => {
  const pieces = fc.array(fc.tuple(fc.array(directiveText, { maxLength: 3 }), fc.boolean()), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(pieces, fc.boolean(), (list, nested) => {
      const texts = list.map(([directives]) => directives.join("\n"));
      const wrap = (lines: string[]) =>
        nested ? `vhost v {\n${lines.join("\n")}\n}` : lines.join("\n");
      const split = wrap(list.map(([, apart], i) => apart ? `include ${i};` : texts[i]));
      const whole = parseText("m", wrap(texts));
      const included = parseText("m", split, (path) => texts[Number(path)]);
      assert.deepEqual(plain(included.directives), plain(whole.directives));
    }),
    { numRuns: 200 },
  );
});

Deno.test("F22: a byte-order mark is read as if it were not there, in an include, too", () => {
  const files: Record<string, string> = {
    "a.conf": "\ufefflisten 1935;\ninclude b.conf;\n",
    "b.conf": "\ufeffvhost a { }",
  };
  const { directives, top } = parseFile("a.conf", (path) => files[path]);
  assert.deepEqual(directives.map(({ name }) => name), ["listen", "vhost"]);
  assert.deepEqual(directives.map(({ place }) => place.column), [1, 1]);
  assert.equal(top.source.lines[0], "listen 1935;");
  const twice = parseText("a", "\ufeff\ufefflisten 1;").directives[0].name;
  assert.equal(twice, "\ufefflisten", "one mark, in front of everything");
});

Deno.test("F22: UTF-16 is named", () => {
  const text = (label: "le" | "be") => {
    const bytes = new Uint8Array(
      [..."\ufefflisten 1;"].flatMap((sign) => {
        const code = sign.charCodeAt(0);
        return label === "le" ? [code & 255, code >> 8] : [code >> 8, code & 255];
      }),
    );
    return new TextDecoder().decode(bytes);
  };
  for (const label of ["le", "be"] as const) {
    assert.throws(() => parseText("a", text(label)), /UTF-16: save it as UTF-8/);
    assert.throws(
      () => parseText("a", "include b;", () => text(label)),
      /a:1:9: the file is UTF-16/,
    );
  }
});

Deno.test("F28: why a file cannot be read, the main one and an included one", () => {
  const failing = (code: string) => (): string => {
    throw Object.assign(new Error(`${code}: the system's words`), { code });
  };
  const rows: [string, RegExp][] = [
    ["EISDIR", /it is a directory: name a file in it/],
    ["EACCES", /may not read it: change its permissions/],
    ["EPERM", /may not read it/],
    ["ENOTDIR", /a part of its path is a file/],
    ["ELOOP", /symbolic links/],
    ["EIO", /EIO: the system's words/],
  ];
  for (const [code, what] of rows) {
    const message = messageOf(() => parseFile("x", failing(code)));
    assert.match(message, /^x: the config file cannot be read: /);
    assert.match(message, what);
    const included = messageOf(() => parseText("a", "include b;", failing(code)));
    assert.match(included, /^a:1:9: cannot read the included file "b": /);
    assert.match(included, what);
  }
  assert.match(
    messageOf(() => parseFile("x", failing("ENOENT"))),
    /^x: no config file at x \(ENOENT/,
  );
});

function messageOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  }
  throw new Error("it was parsed");
}
