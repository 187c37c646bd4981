/**
 * Which changes of the product no unit test notices: changes lines one at a time, in a copy of the tree,
 * and runs the tests of the part on each.
 *
 *     deno task mutate [--lines FROM-TO] [--every N] src/live/mirror/sender.ts ... [tests/unit/mirror_test.ts ...]
 *
 * Without tests given these are all that import the file. `--every N` takes only every Nth change. Prints
 * each change that went unnoticed; ends with 1 if there is any. A change may be none at all (a limit of
 * 64 that becomes 65, a log line): a person has to look.
 * @module
 */
import { parseArgs } from "node:util";
import { Child } from "./process.ts";

/** ms that the tests of one change may take: longer is a hang, which is noticed, but badly. */
const LIMIT_MS = 120_000;

/** What a copy of the tree needs. */
const TREE = ["src", "tests/unit", "tests/tools", "tests/fuzz", "conf", "build.ts"];
const FILES = ["deno.json", "deno.lock", "package.json", "README.md", "README.zh-CN.md", "LICENSE"];

/** Operators, each with what it becomes. The spaces around them keep types out. */
const SWAPS: readonly (readonly [string, string])[] = [
  [" && ", " || "],
  [" || ", " && "],
  [" === ", " !== "],
  [" !== ", " === "],
  [" < ", " <= "],
  [" <= ", " < "],
  [" > ", " >= "],
  [" >= ", " > "],
  [" + ", " - "],
  [" - ", " + "],
  [" += ", " -= "],
  [" -= ", " += "],
  ["++", "--"],
  ["Math.max(", "Math.min("],
  ["Math.min(", "Math.max("],
  [": true", ": false"],
  [": false", ": true"],
  ["= true", "= false"],
  ["= false", "= true"],
  ["return true", "return false"],
  ["return false", "return true"],
];

/** A statement of one line that can be left out. */
const STATEMENT =
  /^\s+(?!return\b|const\b|let\b|throw\b|import\b|export\b|readonly\b|static\b)[\w#.?()[\]!]+(\(.*\)| [-+|&]?= .*|\+\+|--);$/;

/** One change. */
interface Change {
  readonly line: number;
  readonly text: string;
}

const root = new URL("../../", import.meta.url).pathname;

/** All changes of a source text that this tool knows. */
export function changesOf(source: string): Change[] {
  const lines = source.split("\n");
  const changes: Change[] = [];
  lines.forEach((line, i) => {
    const code = line.trim();
    if (code === "" || /^(\/\/|\/\*|\*|import\b|export (type|interface)\b|readonly\b)/.test(code)) {
      return;
    }
    const add = (text: string) => {
      if (text !== line) changes.push({ line: i + 1, text });
    };
    if (STATEMENT.test(line)) add("");
    const condition = conditionOf(line);
    if (condition) {
      const [from, to] = condition;
      add(`${line.slice(0, from)}!(${line.slice(from, to)})${line.slice(to)}`);
    }
    for (const [from, to] of SWAPS) {
      for (let at = line.indexOf(from); at >= 0; at = line.indexOf(from, at + 1)) {
        if (!inText(line, at)) add(line.slice(0, at) + to + line.slice(at + from.length));
      }
    }
  });
  return changes;
}

/** Where the condition of an `if` that begins and ends on a line stands. */
function conditionOf(line: string): [number, number] | null {
  const begin = /\b(?:if|while) \(/.exec(line);
  if (!begin) return null;
  const from = begin.index + begin[0].length;
  let depth = 1;
  for (let at = from; at < line.length; at++) {
    if (line[at] === "(") depth++;
    else if (line[at] === ")" && --depth === 0) return [from, at];
  }
  return null;
}

/** Whether a position is within a string or a comment of its line. */
function inText(line: string, at: number): boolean {
  const before = line.slice(0, at);
  const quotes = (quote: string) => before.split(quote).length - 1;
  return quotes('"') % 2 === 1 || quotes("`") % 2 === 1 || /(^|\s)\/\//.test(before);
}

/** The unit tests that import a file themselves, or by way of what only tests share. */
function testsOf(file: string): string[] {
  const folder = `${root}tests/unit`;
  const imports = (path: string) => Deno.readTextFileSync(path).includes(`/${file}"`);
  const shared = [...Deno.readDirSync(`${folder}/support`)].map(({ name }) => name)
    .filter((name) => imports(`${folder}/support/${name}`));
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith("_test.ts"));
  const direct = names.filter((name) => imports(`${folder}/${name}`));
  const found = direct.length > 0 ? direct : names.filter((name) => {
    const text = Deno.readTextFileSync(`${folder}/${name}`);
    return shared.some((one) => text.includes(`/support/${one}"`));
  });
  return found.map((name) => `tests/unit/${name}`).sort();
}

async function copyTree(to: string): Promise<void> {
  for (const folder of TREE) {
    await Deno.mkdir(`${to}/${folder}`.replace(/\/[^/]*$/, ""), { recursive: true });
    const child = new Child("cp", ["cp", "-r", `${root}${folder}`, `${to}/${folder}`]);
    if (!(await child.ended).success) throw new Error(child.report());
  }
  for (const file of FILES) await Deno.copyFile(`${root}${file}`, `${to}/${file}`);
}

type Outcome = "noticed" | "hangs" | "UNNOTICED";

async function outcomeOf(tree: string, tests: readonly string[]): Promise<Outcome> {
  const command = [Deno.execPath(), "test", "--no-check", "--allow-all", "--fail-fast", ...tests];
  const child = new Child("tests", command, { cwd: tree });
  try {
    return (await child.finish(LIMIT_MS)).success ? "UNNOTICED" : "noticed";
  } catch {
    return "hangs";
  } finally {
    await child.kill();
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { lines: { type: "string" }, every: { type: "string", default: "1" } },
  });
  const files = positionals.filter((path) => path.startsWith("src/"));
  const given = positionals.filter((path) => !path.startsWith("src/"));
  const [from, to] = (values.lines ?? "1-1000000").split("-").map(Number);
  const every = Number(values.every);
  if (files.length === 0 || !(from >= 1) || !(to >= from) || !(every >= 1)) {
    console.error(
      "mutate: [--lines FROM-TO] [--every N] src/FILE.ts ... [tests/unit/FILE_test.ts ...]",
    );
    return 255;
  }
  const tree = await Deno.makeTempDir({ prefix: "srs-edge-mutate-" });
  const count = { noticed: 0, hangs: 0, UNNOTICED: 0 };
  try {
    await copyTree(tree);
    for (const file of files) {
      const tests = given.length > 0 ? given : testsOf(file.slice("src/".length));
      const source = await Deno.readTextFile(`${root}${file}`);
      if (tests.length === 0) console.log(`${file}: no unit test imports it`);
      else if (await outcomeOf(tree, tests) !== "UNNOTICED") {
        throw new Error(`${tests.join(" ")} fail without any change`);
      }
      const changes = changesOf(source)
        .filter(({ line }, i) => line >= from && line <= to && i % every === 0);
      console.log(`${file}: ${changes.length} changes, ${tests.length} test files`);
      for (const { line, text } of tests.length === 0 ? [] : changes) {
        const lines = source.split("\n");
        const old = lines[line - 1];
        lines[line - 1] = text;
        await Deno.writeTextFile(`${tree}/${file}`, lines.join("\n"));
        const outcome = await outcomeOf(tree, tests);
        count[outcome]++;
        if (outcome === "noticed") continue;
        console.log(`${outcome} ${file}:${line}\n  - ${old.trim()}\n  + ${text.trim()}`);
      }
      await Deno.writeTextFile(`${tree}/${file}`, source);
    }
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
  console.log(`${count.noticed} noticed, ${count.hangs} by a hang, ${count.UNNOTICED} unnoticed`);
  return count.UNNOTICED + count.hangs > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main());
