/**
 * `conf/full.conf` is what the directive table gives, parses, and has the defaults as its values.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { allDirectives, type Entry, entryOf } from "../../src/config/directives/directives.ts";
import { formatFullConf, SAMPLES } from "../../src/config/directives/full_conf.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { parseText } from "../../src/config/grammar/parser.ts";
import type { Leaf } from "../../src/config/directives/spec.ts";
import { ROOT } from "../../src/config/directives/root.ts";
import type { Directive } from "../../src/config/grammar/tree.ts";
import { FULL_CONF } from "../../src/release/documents.ts";

const TEXT = readFileSync(new URL(`../../${FULL_CONF}`, import.meta.url), "utf8");

/** The file with every directive in it that stands there as a comment. */
const WITH_SAMPLES = TEXT.replace(/^( *)#(?=\S)/gm, "$1");

const load = (text: string) => loadConfig(FULL_CONF, () => text, {});

/** Leaves that have an effect, by path. */
const LEAVES = new Map(
  allDirectives().flatMap((entry): [string, [Entry, Leaf<unknown>]][] =>
    entry.spec.type === "leaf" && entry.status === "honoured"
      ? [[entry.path, [entry, entry.spec]]]
      : []
  ),
);

/** Paths of the directives with a value in a tree, in order. */
function paths(tree: readonly Directive[], prefix = ""): string[] {
  return tree.flatMap(({ name, block }) =>
    block ? paths(block, `${prefix}${name}.`) : [prefix + name]
  );
}

const isAlias = (path: string) => path.startsWith("rtmp.");
const isWritten = (path: string) => path === "listen" || !(path in SAMPLES) && !isAlias(path);

Deno.test(`${FULL_CONF} is that of the directive table`, () => {
  assert.equal(TEXT, formatFullConf(), "run: deno task docs");
});

Deno.test(`${FULL_CONF} loads without a remark, each value the default`, () => {
  const { settings, warnings, ignored } = load(TEXT);
  assert.deepEqual([warnings, ignored], [[], []]);
  assert.ok(settings.length > 80, `${settings.length} settings`);
  for (const { path, origin, raw } of settings) {
    const [, leaf] = LEAVES.get(path) ?? assert.fail(path);
    const isDefault = origin === (isWritten(path) ? "file" : "default") &&
      raw === leaf.kind.format(leaf.default);
    assert.ok(isDefault || path === "listen", `${path} ${raw} from the ${origin}`);
  }
});

Deno.test(`${FULL_CONF} has every directive once, in its block`, () => {
  const written = paths(parseText(FULL_CONF, TEXT).directives);
  assert.deepEqual(written.sort(), [...LEAVES.keys()].filter(isWritten).sort());
  const all = paths(parseText(FULL_CONF, WITH_SAMPLES).directives);
  assert.deepEqual(all.sort(), [...LEAVES.keys()].sort());
});

Deno.test(`the examples in ${FULL_CONF} are valid, and each is of a directive without a default`, () => {
  const { settings, warnings } = load(WITH_SAMPLES);
  // rtmp { } repeats two directives of the root, each with one warning.
  assert.deepEqual(warnings.filter(({ message }) => !message.includes("the one in rtmp { }")), []);
  assert.equal(warnings.length, 2);
  assert.deepEqual(settings.filter(({ origin }) => origin !== "file"), []);

  const withoutDefault = [...LEAVES].flatMap(([path, [, { default: value }]]) =>
    value === null || value === "" || Array.isArray(value) && value.length === 0 ? [path] : []
  );
  assert.deepEqual(Object.keys(SAMPLES).sort(), withoutDefault.sort());
});

Deno.test(`${FULL_CONF} says of each directive what it does, its default, unit and reload`, () => {
  const blocks = TEXT.split(/\n\s*\n/).map((text) => text.replace(/\n *# /g, " ").trim());
  for (const [path, [{ name, reload }, leaf]] of LEAVES) {
    const described = blocks.filter((text) =>
      text.includes(` ${leaf.about} Default: `) && new RegExp(`\\n *#?${name} +\\S`).test(text)
    );
    assert.ok(described.length > 0, path);
    const words = { applied: "at once", live: "for what comes next", restart: "needs a restart" };
    for (const text of described) {
      assert.match(text, / Values: \S/, path);
      assert.ok(
        reload === "none" || text.includes(` Reload: ${words[reload]}.`),
        `${path} ${reload}`,
      );
      if (leaf.unit !== "") assert.match(text, new RegExp(`Default: \\S+ ${leaf.unit}\\.`), path);
    }
  }
  assert.match(TEXT, /Known to SRS [^]* dash/);
  assert.ok(entryOf(ROOT.is_full).status === "relic" && TEXT.includes("threads_interval"));
  for (const line of TEXT.split("\n")) assert.ok(line.length <= 100, line);
});
