/**
 * Log lines, their escapes and their redaction; the log file. Output to the console is looked at from
 * outside, in a child process.
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { newConnectionId, newEntryId, newServerId } from "../../src/log/ids.ts";
import { LINE_MAX_BYTES } from "../../src/log/limits.ts";
import { colourLine, formatLine, type LogLine } from "../../src/log/line.ts";
import { connectionLog, serverLog } from "../../src/log/log.ts";
import { closeLog, openLog, reopenLog } from "../../src/log/sink.ts";
import { PEER_TEXT_MAX } from "../../src/log/limits.ts";
import { peerText, redactQuery, sanitize } from "../../src/log/text.ts";

const LOG_MODULE = new URL("../../src/log/log.ts", import.meta.url).href;
const TANK_MODULE = new URL("../../src/log/sink.ts", import.meta.url).href;

const LINE: LogLine = {
  time: Date.UTC(2026, 10, 22, 14, 7, 37, 399),
  level: "info",
  pid: 16441,
  id: "b0texaxl",
  text: "RTMP client ip=127.0.0.1:50518",
};

function withDirectory(run: (path: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const path = mkdtempSync(join(tmpdir(), "srs-edge-log-"));
    try {
      await run(path);
    } finally {
      await closeLog();
      rmSync(path, { recursive: true });
    }
  };
}

/** Runs a script that has `log` = the log module; returns its stdout. */
function runScript(script: string, expectFailure = false): string {
  const directory = mkdtempSync(join(tmpdir(), "srs-edge-log-"));
  const path = join(directory, "script.ts");
  writeFileSync(
    path,
    `import * as lines from ${JSON.stringify(LOG_MODULE)};
    import * as tank from ${JSON.stringify(TANK_MODULE)};
    const log = { ...lines, ...tank };
    ${script}`,
  );
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const args = "Bun" in globalThis
    ? ["run", path]
    : ["run", "--quiet", "--no-check", "--allow-all", "--config", join(root, "deno.json"), path];
  try {
    return execFileSync(process.execPath, args, {
      encoding: "utf8",
      maxBuffer: 16 * 1024 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    assert.ok(expectFailure && error instanceof Error && "stdout" in error, String(error));
    return String(error.stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

Deno.test("a line has SRS's form", () => {
  assert.equal(
    formatLine(LINE, true),
    "[2026-11-22 14:07:37.399][INFO][16441][b0texaxl] RTMP client ip=127.0.0.1:50518",
  );
  assert.equal(
    formatLine({ ...LINE, level: "warn", code: 1007, text: "client disconnect peer." }, true),
    "[2026-11-22 14:07:37.399][WARN][16441][b0texaxl][1007] client disconnect peer.",
  );
});

Deno.test("times are local unless UTC is asked for", () => {
  const date = new Date(LINE.time);
  const two = (n: number) => String(n).padStart(2, "0");
  assert.ok(
    formatLine(LINE, false).startsWith(
      `[2026-11-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:37.399]`,
    ),
  );
});

Deno.test("WARN is yellow and ERROR red, other levels have no colour", () => {
  assert.equal(colourLine("x", "warn"), "\x1b[33mx\x1b[0m");
  assert.equal(colourLine("x", "error"), "\x1b[31mx\x1b[0m");
  assert.equal(colourLine("x", "info"), "x");
});

Deno.test("a line is cut at 8191 bytes, never inside a character", () => {
  const encoder = new TextEncoder();
  fc.assert(fc.property(
    fc.constantFrom("a", "é", "€", "😀", "a€"),
    fc.integer({ min: 2000, max: 9000 }),
    (unit, count) => {
      const text = unit.repeat(count);
      const line = formatLine({ ...LINE, text }, true);
      const bytes = encoder.encode(line).length;
      assert.ok(bytes <= LINE_MAX_BYTES);
      assert.ok(`${formatLine({ ...LINE, text: "" }, true)}${text}`.startsWith(line));
      const cut = !line.endsWith(text);
      if (cut) assert.ok(bytes > LINE_MAX_BYTES - 4, `${bytes} bytes are fewer than fit`);
    },
  ));
});

const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

Deno.test("H31: what sanitize returns has no control and no bidi character", () => {
  const unsafe = fc.constantFrom(
    ..."\0\x07\b\t\n\v\r\x1b\x7f\x80\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069",
  );
  const text = fc.array(fc.oneof(unsafe, fc.string({ unit: "binary" }))).map((s) => s.join(""));
  fc.assert(fc.property(text, (peer) => {
    const safe = sanitize(peer);
    assert.doesNotMatch(safe, UNSAFE);
    assert.doesNotMatch(peerText(peer), UNSAFE);
    assert.equal(sanitize(safe), safe);
    assert.doesNotMatch(formatLine({ ...LINE, text: peer }, true), UNSAFE);
  }));
  assert.equal(sanitize("a\r\n\x1b[2J\u202eb"), "a\\x0d\\x0a\\x1b[2J\\u202eb");
  assert.equal(sanitize("Zoë 直播 😀 a\\b"), "Zoë 直播 😀 a\\b");
});

Deno.test("H30: secrets of a query become ***", () => {
  const cases = [
    ["?a=b&token=c", "?a=b&token=***"],
    ["?a=b&token=c&d=e", "?a=b&token=***&d=e"],
    ["?Stream_KEY=x;d=e", "?Stream_KEY=***;d=e"],
    ["secret=x,d=e", "secret=***,d=e"],
    ["?pwd=a,b;c&d=e", "?pwd=***&d=e"],
    ["?sign=a=b==&d=e", "?sign=***&d=e"],
    ["?%74oken=c", "?%74oken=***"],
    ["?u=http%3A%2F%2Fh%2F%3Ftoken%3Dabc&d=e", "?u=http%3A%2F%2Fh%2F%3Ftoken%3D***&d=e"],
    ["?a=b?auth=c", "?a=b?auth=***"],
    ["rtmp://h:1935/live/s?credential=x", "rtmp://h:1935/live/s?credential=***"],
    ["rtmp://joe:se@cret@h:1935/live", "rtmp://joe:***@h:1935/live"],
    ["joe:secret@h", "joe:***@h"],
    ["rtmp://h:1935/live/s", "rtmp://h:1935/live/s"],
    ["rtmp://[::1]:1935/live/a@b", "rtmp://[::1]:1935/live/a@b"],
    ["a:b,token=x@y", "a:***"],
    ["rtmp://u:a=b;key=c@h/live", "rtmp://u:***"],
    ["?a=b&c=d", "?a=b&c=d"],
    ["token", "token"],
    ["", ""],
  ];
  for (const [text, expected] of cases) assert.equal(redactQuery(text), expected);
});

Deno.test("H30: redaction never leaves the secret in", () => {
  const filler = fc.string({ maxLength: 6 }).filter((s) => !s.includes("Q"));
  const word = fc.constantFrom(
    ...["token", "sign", "key", "secret", "pass", "auth", "password", "pwd", "credential"],
  );
  const cased = fc.tuple(word, fc.boolean()).map(([w, up]) => up ? w.toUpperCase() : w);
  const name = fc.string({ unit: fc.constantFrom(..."abz_-.09"), maxLength: 4 });
  const key = fc.tuple(name, cased, name).map((parts) => parts.join(""));
  const separator = fc.constantFrom("?", "&", ";", ",");
  // Marked at both ends, with characters between that a secret may well contain.
  const secret = fc.string({ unit: fc.constantFrom(..."XYQ/+=%.:@# ;,"), maxLength: 20 })
    .filter((s) => !/[;,][^;,]*=/.test(s)).map((s) => `XQ${s}QX`);
  const text = fc.tuple(filler, separator, key, secret, filler);
  fc.assert(
    fc.property(text, ([before, mark, name, hidden, after]) => {
      const query = `${before}${mark}${name}=${hidden}&${after}`;
      for (const shown of [redactQuery(query), peerText(query), redactQuery(redactQuery(query))]) {
        assert.doesNotMatch(shown, /XQ|QX/, query);
      }
    }),
    { numRuns: 1000 },
  );
  const password = fc.string({ unit: fc.constantFrom(..."XYQ+=%.:@;,&"), maxLength: 20 });
  fc.assert(
    fc.property(name, password, (user, hidden) => {
      const url = `rtmp://${user}:XQ${hidden}QX@host:1935/live/s?a=b`;
      assert.doesNotMatch(redactQuery(url), /XQ|QX/, url);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("H11: peerText bounds what one peer text adds to a line", () => {
  for (const unit of ["a", "=", ":", "@", ",", "token=", "%3d", "\n", "a:b@", ";x"]) {
    const text = peerText(unit.repeat(1_000_000 / unit.length));
    assert.ok(text.length <= PEER_TEXT_MAX, `${unit}: ${text.length}`);
  }
  assert.ok(peerText("a".repeat(600)).endsWith("a..."));
});

Deno.test("ids have SRS's forms and differ", () => {
  assert.match(newServerId(), /^vid-[0-9a-z]{7}$/);
  assert.match(newEntryId(), /^vid-[0-9a-z]{7}$/);
  const ids = new Set(Array.from({ length: 1000 }, newConnectionId));
  assert.equal(ids.size, 1000);
  for (const id of ids) assert.match(id, /^[0-9a-z]{8}$/);
});

Deno.test(
  "the file log appends, filters by level and follows a rename",
  withDirectory(async (directory) => {
    const file = join(directory, "srs.log");
    writeFileSync(file, "before\n");
    await openLog({ tank: "file", level: "info", file, utc: true });
    const log = connectionLog("b0texaxl");
    log.debug("not shown");
    log.info("one {id} %s");
    log.warn("two", 1007);
    renameSync(file, `${file}.1`);
    reopenLog();
    log.error("three", 1011);
    serverLog.info("four");
    await closeLog();

    const head = `\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\]`;
    assert.match(
      readFileSync(`${file}.1`, "utf8"),
      new RegExp(
        `^before\n${head}\\[INFO\\]\\[${process.pid}\\]\\[b0texaxl\\] one {id} %s\n` +
          `${head}\\[WARN\\]\\[${process.pid}\\]\\[b0texaxl\\]\\[1007\\] two\n$`,
      ),
    );
    assert.match(
      readFileSync(file, "utf8"),
      new RegExp(
        `^${head}\\[ERROR\\]\\[${process.pid}\\]\\[b0texaxl\\]\\[1011\\] three\n` +
          `${head}\\[INFO\\]\\[${process.pid}\\]\\[${serverLog.id}\\] four\n$`,
      ),
    );
  }),
);

Deno.test(
  "an internal fault is logged with its stack and causes, each line with the id",
  withDirectory(async (directory) => {
    const file = join(directory, "srs.log");
    await openLog({ tank: "file", level: "trace", file, utc: false });
    const cause = new TypeError("inner\nforged ?token=abc");
    connectionLog("b0texaxl").error("connection", 1, new Error("outer", { cause }));
    await closeLog();

    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const texts = lines.map((line) => {
      const [, text] = /\[ERROR\]\[\d+\]\[b0texaxl\]\[1\] (.*)$/.exec(line) ?? [];
      assert.ok(text !== undefined, line);
      return text;
    });
    assert.equal(texts[0], "connection: Error: outer");
    assert.match(texts[1], /^\s+at .*log_test/);
    assert.ok(texts.includes("caused by TypeError: inner\\x0aforged ?token=***"));
  }),
);

Deno.test(
  "the level off writes nothing",
  withDirectory(async (directory) => {
    const file = join(directory, "srs.log");
    await openLog({ tank: "file", level: "off", file, utc: false });
    serverLog.error("x");
    await closeLog();
    assert.equal(readFileSync(file, "utf8"), "");
  }),
);

Deno.test(
  "a log file that cannot be opened is named, with the cure",
  withDirectory(async (directory) => {
    const file = join(directory, "missing", "srs.log");
    await assert.rejects(
      openLog({ tank: "file", level: "info", file, utc: false }),
      (error: Error) =>
        error.message.startsWith(`cannot open the log file ${file}: `) &&
        error.message.includes("srs_log_tank console"),
    );
  }),
);

Deno.test("the console has every line in order, without colour in a pipe", () => {
  const out = runScript(`
    log.serverLog.info("early");
    await log.openLog({ tank: "console", level: "debug", file: "", utc: false });
    for (let i = 0; i < 3000; i++) log.serverLog.warn("line " + i);
    await log.closeLog();
    log.serverLog.info("late");
  `);
  const texts = out.trimEnd().split("\n").map((line) => line.slice(line.indexOf("] ") + 2));
  const expected = ["early", ...Array.from({ length: 3000 }, (_, i) => `line ${i}`), "late"];
  assert.deepEqual(texts, expected);
  assert.doesNotMatch(out, UNSAFE_IN_OUTPUT);
});

// deno-lint-ignore no-control-regex
const UNSAFE_IN_OUTPUT = /\x1b/;

Deno.test("the last lines before the process ends are kept, also at a crash", () => {
  const open = `await log.openLog({ tank: "console", level: "info", file: "", utc: false });`;
  // More than a pipe holds: the reader has to take some first.
  const last = `for (let i = 0; i < 400; i++) log.serverLog.info("x".repeat(500));
    log.serverLog.info("last words");`;
  const ends = [
    `process.exit(1)`,
    `throw new Error("crash")`,
    `Promise.reject(new Error("crash"))`,
  ];
  for (const end of ends) {
    const script = `${open} setTimeout(() => { ${last} ${end}; }, 1);`;
    const out = runScript(`import process from "node:process";\n${script}`, true);
    assert.match(out, /\] last words\n$/, end);
  }
});

Deno.test("lines beyond what may wait are lost and counted", () => {
  const out = runScript(`
    await log.openLog({ tank: "console", level: "info", file: "", utc: false });
    for (let i = 0; i < 3000; i++) log.serverLog.info("x".repeat(1000));
    await log.closeLog();
  `);
  const lines = out.trimEnd().split("\n");
  const [, lost] = /\[WARN\].* (\d+) log lines lost/.exec(lines[lines.length - 1]) ?? [];
  assert.equal(lines.length - 1 + Number(lost), 3000);
});
