/**
 * The documentation says what the program does: the configuration reference is that of the directive
 * tables, the two languages have the same parts, links lead somewhere, and every configuration that is
 * shipped is clean.
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { allDirectives } from "../../src/config/directives/directives.ts";
import { loadConfig } from "../../src/config/file/load.ts";
import { formatReference } from "../../src/config/directives/reference.ts";
import { CHINESE } from "../../src/config/directives/reference_zh.ts";
import { EXAMPLES, SYSUSERS, UNIT } from "../../src/install/examples.ts";
import {
  CONFIG_PATH,
  PACKAGE_FOLDERS,
  SERVICE_GROUP,
  serviceFiles,
} from "../../src/install/layout.ts";
import { REFERENCES, withReference } from "../../src/release/documents.ts";
import { VERSION } from "../../src/runtime/version.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, ROOT), "utf8");
const REFERENCE = read(REFERENCES.en);

/** Documents that there are in English and in Chinese (`NAME.zh-CN.md`). */
const TWINS = [
  "README",
  "conf/README",
  "conf/reference",
  "conf/security",
  "conf/srs",
  "src/README",
  "src/servers/http/README",
];

/** Documents in one language. */
const SINGLES = ["tests/README.md", "tests/bench/README.md"];

const DOCUMENTS = [...TWINS.flatMap((name) => [`${name}.md`, `${name}.zh-CN.md`]), ...SINGLES];

/** Lines that the first page may have: a newcomer reads no more. */
const README_LINES = 200;

/** Levels of the headings, in order. */
function headings(text: string): number[] {
  return Array.from(outsideOfCode(text).matchAll(/^(#+) /gm), ([, marks]) => marks.length);
}

/** Code in fences, as people would type it: without comments, blanks evened out. */
function commands(text: string): string[] {
  return Array.from(
    text.matchAll(/^ *```[^\n]*\n(.*?)^ *```$/gms),
    ([, code]) => code.replace(/ +# .*$/gm, "").replace(/ +/g, " ").trim(),
  );
}

function outsideOfCode(text: string): string {
  return text.replace(/^ *```[^\n]*\n.*?^ *```$/gms, "");
}

/** Each table as its rows, each row as its cells. */
function tables(text: string): string[][][] {
  const blocks = outsideOfCode(text).matchAll(/(?:^\|.*\|\n)+/gm);
  return Array.from(
    blocks,
    ([block]) =>
      block.trimEnd().split("\n").map((line) =>
        line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim())
      ),
  );
}

function codeIn(cell: string): string[] {
  return cell.match(/`[^`]+`/g) ?? [];
}

for (const language of ["en", "zh"] as const) {
  Deno.test(`${REFERENCES[language]} has the reference of the directive table`, () => {
    const text = read(REFERENCES[language]);
    assert.equal(text, withReference(text, language), "run: deno task docs");
  });

  Deno.test(`the reference (${language}) has every honoured directive, once`, () => {
    const rows = tables(`${formatReference(language)}\n`).flat()
      .filter(([name]) => name.startsWith("`"));
    const honoured = allDirectives().filter(({ spec, status }) =>
      spec.type === "leaf" && status === "honoured"
    );
    assert.deepEqual(rows.map(([name]) => name), honoured.map(({ name }) => `\`${name}\``));
    for (const row of rows) assert.ok(row[2] && row[3] && row[4], row.join());
  });
}

Deno.test("a changed directive is noticed", () => {
  const stale = REFERENCE.replace("| `queue_length` | `30` |", "| `queue_length` | `31` |");
  assert.notEqual(stale, REFERENCE);
  assert.equal(withReference(stale, "en"), REFERENCE);
});

Deno.test("Chinese descriptions are of directives that there are", () => {
  const paths = new Set(allDirectives().map(({ path }) => path));
  assert.deepEqual(Object.keys(CHINESE).filter((path) => !paths.has(path)), []);
});

for (const name of TWINS) {
  Deno.test(`${name}.md has the same headings, commands and tables in both languages`, () => {
    const [inEnglish, inChinese] = [read(`${name}.md`), read(`${name}.zh-CN.md`)];
    assert.deepEqual(headings(inChinese), headings(inEnglish), "levels of headings");
    assert.deepEqual(commands(inChinese), commands(inEnglish), "code");
    const [chinese, english] = [tables(inChinese), tables(inEnglish)];
    assert.equal(chinese.length, english.length, "tables");
    english.forEach((table, index) => {
      const other = chinese[index];
      const title = table[0].join(" | ");
      assert.equal(other.length, table.length, `rows of the table ${title}`);
      table.forEach((row, number) => {
        assert.equal(other[number].length, row.length, `cells of ${row}`);
        assert.deepEqual(codeIn(other[number][0]), codeIn(row[0]), `the code in ${row[0]}`);
      });
    });
  });
}

/** The anchor of a heading, as Git hosts make it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("links of the documentation lead to files and headings that there are", () => {
  const dead: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, link] of outsideOfCode(read(document)).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [path, anchor] = link.split("#");
      const target = path === "" ? document : posix.join(posix.dirname(document), path);
      if (!existsSync(new URL(target, ROOT))) dead.push(`${document}: ${link}`);
      else if (anchor !== undefined) {
        const found = outsideOfCode(read(target)).matchAll(/^#+ (.*)$/gm);
        const anchors = Array.from(found, ([, heading]) => anchorOf(heading));
        if (!anchors.includes(anchor)) dead.push(`${document}: ${link}`);
      }
    }
  }
  assert.deepEqual(dead, []);
});

Deno.test("files of src that the documentation names are there", () => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, file] of read(document).matchAll(/`((?:[a-z0-9_]+\/)+[a-z0-9_]+\.ts)`/g)) {
      const found = [file, `src/${file}`].some((path) => existsSync(new URL(path, ROOT)));
      if (!found) missing.push(`${document}: ${file}`);
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test(`the first page has at most ${README_LINES} lines, and names the files of this version`, () => {
  for (const name of ["README.md", "README.zh-CN.md"]) {
    const text = read(name);
    assert.ok(text.split("\n").length <= README_LINES + 1, name);
    const versions = text.match(/(?<=srs-edge(?:-bun)?[-_])\d+\.\d+\.\d+/g) ?? [];
    assert.ok(versions.length >= 7, "files in the download table");
    assert.deepEqual([...new Set(versions)], [VERSION]);
  }
});

Deno.test("every configuration in conf/ is part of the program, and clean", () => {
  const files = readdirSync(new URL("conf/", ROOT)).filter((name) => name.endsWith(".conf"));
  assert.deepEqual([...EXAMPLES.keys()].map((name) => `${name}.conf`).sort(), files.sort());
  for (const [name, text] of EXAMPLES) {
    assert.equal(text, read(`conf/${name}.conf`));
    const loaded = loadConfig(`${name}.conf`, () => text, {});
    // Secrets are for the reader to replace.
    const warnings = loaded.warnings.filter(({ message }) => !message.includes("of an example"));
    assert.deepEqual(warnings, [], name);
    assert.deepEqual(loaded.ignored, [], name);
  }
});

Deno.test("the unit names the installed executable and configuration, wherever they are", () => {
  const folders = { bin: "/opt/bin", units: "/u", sysusers: "/s", tmpfiles: "/t" };
  const files = serviceFiles(folders);
  const unit = files.find(({ path }) => path === "/u/srs-edge.service")?.text ?? "";
  const paths = files.map(({ path }) => path);
  assert.ok(paths.includes("/opt/bin/srs-edge"));
  for (const [, program, config] of unit.matchAll(/^Exec\w+=(\/\S+) .*-c (\S+)$/gm)) {
    assert.ok(paths.includes(program), program);
    assert.ok(paths.includes(config), config);
  }
  assert.equal([...UNIT.matchAll(/^Exec\w+=\/usr\/bin\/srs-edge/gm)].length, 2);
});

Deno.test("H64: the settings are for root and the service's group alone", () => {
  const files = serviceFiles(PACKAGE_FOLDERS);
  const config = files.find(({ path }) => path === CONFIG_PATH);
  assert.equal(config?.mode, 0o640);
  const rule = files.find(({ path }) => path === "/usr/lib/tmpfiles.d/srs-edge.conf")?.text ?? "";
  assert.ok(rule.includes(`\nz ${CONFIG_PATH} 0640 root ${SERVICE_GROUP} - -\n`), rule);
  assert.match(UNIT, new RegExp(`^Group=${SERVICE_GROUP}$`, "m"));
  assert.match(SYSUSERS, new RegExp(`^u ${SERVICE_GROUP} `, "m"));
});

Deno.test("H65: the unit bounds memory and threads, and keeps the runtimes' settings away", () => {
  assert.match(UNIT, /^MemoryMax=75%$/m);
  // Deno's threads for what waits are 512 at most.
  assert.ok(Number(/^TasksMax=(\d+)$/m.exec(UNIT)?.[1]) >= 600);
  const unset = [...UNIT.matchAll(/^UnsetEnvironment=(.*)$/gm)].flatMap(([, names]) =>
    names.split(" ")
  );
  for (const name of ["BUN_OPTIONS", "BUN_BE_BUN", "NODE_OPTIONS"]) assert.ok(unset.includes(name));
});

Deno.test("the unit's file limit fits 65000 connections", () => {
  const limit = Number(/^LimitNOFILE=(\d+)$/m.exec(UNIT)?.[1]);
  // max_connections, and what the server keeps for itself.
  assert.ok(limit >= 65_000 + 128, String(limit));
});

Deno.test("conf/README.md has one line for each file in conf/", () => {
  const files = readdirSync(new URL("conf/", ROOT)).filter((name) => !name.endsWith(".md"));
  const rows = tables(read("conf/README.md")).slice(0, 2).flat()
    .filter(([name]) => name.startsWith("`"));
  assert.deepEqual(rows.map(([name]) => name).sort(), files.map((name) => `\`${name}\``).sort());
  for (const row of rows) assert.ok(row.slice(1).every((cell) => cell.length > 10), row.join());
});

Deno.test("conf/reload.conf says of each directive what a reload does, as the table does", () => {
  const said = {
    "At once": "applied",
    "For what comes next": "live",
    "Needs a restart": "restart",
  };
  const directives = new Map(allDirectives().map((entry) => [entry.path, entry]));
  const blocks: string[] = [];
  let reload: string | null = null;
  const seen = new Set<string>();
  for (const line of read("conf/reload.conf").split("\n").map((line) => line.trim())) {
    const [word] = line.split(/\s/);
    if (line.startsWith("#")) {
      reload = Object.entries(said).find(([words]) => line.startsWith(`# ${words}:`))?.[1] ??
        reload;
    } else if (line.endsWith("{")) {
      blocks.push(word);
      reload = null;
    } else if (line === "}") {
      blocks.pop();
      reload = null;
    } else if (line !== "") {
      const path = [...blocks, word].join(".");
      assert.equal(directives.get(path)?.reload, reload, path);
      seen.add(directives.get(path)?.reload ?? "");
    }
  }
  assert.deepEqual([...seen].sort(), Object.values(said).sort());
});
