/**
 * H61: whose pid file it is.
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { checkPidFile, removePidFile, writePidFile } from "../../src/app/pid_file.ts";
import {
  type OtherProcess,
  type Processes,
  runningProcesses,
  startOf,
} from "../../src/runtime/processes.ts";

const OURS = String(process.pid);
const OTHER = 4711;

/** Knows `OTHER` alone. */
function processes(other: OtherProcess | null): Processes {
  return { look: (pid) => pid === OTHER ? other : null };
}

const NONE = processes(null);
const LONG_AGO: OtherProcess = { begunMs: 0, isSameProgram: false };

/** Runs in a folder of its own. */
async function inFolder(work: (path: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "srs-edge-unit-" });
  try {
    work(`${folder}/srs.pid`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Asserts that it is refused, and that the file stays as it is. */
function refuses(path: string, known: Processes, reason: RegExp): void {
  const before = Deno.readTextFileSync(path);
  assert.throws(() => checkPidFile(path, known), reason);
  assert.throws(() => writePidFile(path, known), reason);
  assert.throws(() => writePidFile(path, known), /Change or drop "pid", or remove the file/);
  removePidFile(path);
  assert.equal(Deno.readTextFileSync(path), before);
}

/** Asserts that it is written, and removed at the end. */
function takes(path: string, known: Processes): void {
  checkPidFile(path, known);
  writePidFile(path, known);
  assert.equal(Deno.readTextFileSync(path), OURS);
  removePidFile(path);
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
}

Deno.test("H61: a pid file that is not there is written, and removed at the end", async () => {
  await inFolder((path) => takes(path, NONE));
});

Deno.test("H61: a number of ours, or of a process that is gone, is replaced", async () => {
  await inFolder((path) => {
    for (const text of [OURS, `${OTHER}\n`, "1234567890"]) {
      Deno.writeTextFileSync(path, text);
      takes(path, NONE);
    }
  });
});

Deno.test("H61: the number of a process that runs stays, unless it is one of ours", async () => {
  await inFolder((path) => {
    Deno.writeTextFileSync(path, `${OTHER}`);
    refuses(path, processes(LONG_AGO), /belongs to process 4711, which runs and is not srs-edge/);
    refuses(path, processes({ begunMs: null, isSameProgram: false }), /belongs to process 4711/);
    refuses(path, processes({ begunMs: Date.now(), isSameProgram: false }), /belongs to/);
    takes(path, processes({ begunMs: 0, isSameProgram: true }));
  });
});

Deno.test("H61: a number that another program has got after a power failure is replaced", async () => {
  await inFolder((path) => {
    Deno.writeTextFileSync(path, `${OTHER}`);
    takes(path, processes({ begunMs: Date.now() + 60_000, isSameProgram: false }));
  });
});

Deno.test("H61: a file that holds something else is not touched", async () => {
  await inFolder((path) => {
    for (const text of ["", "0", "-1", "12 13", "x", "1e3", "password", "1".repeat(40)]) {
      Deno.writeTextFileSync(path, text);
      refuses(path, NONE, /something else than a process number/);
    }
  });
});

Deno.test("H61: links are not followed, neither for writing nor for removing", async () => {
  await inFolder((path) => {
    const target = `${path}.target`;
    Deno.writeTextFileSync(target, OURS);
    Deno.symlinkSync(target, path);
    refuses(path, NONE, /it is a link/);
    assert.equal(Deno.readTextFileSync(target), OURS);
    assert.ok(Deno.lstatSync(path).isSymlink);
    Deno.removeSync(target);
    assert.throws(() => writePidFile(path, NONE), /it is a link/);
    assert.throws(
      () => Deno.statSync(target),
      Deno.errors.NotFound,
      "nothing is created behind it",
    );
    Deno.removeSync(path);

    Deno.writeTextFileSync(target, `${OTHER}`);
    Deno.linkSync(target, path);
    refuses(path, NONE, /one of 2 names/);
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    assert.throws(() => writePidFile(path, NONE), /it is no file/);
  });
});

Deno.test("H61: at the end another server's number stays", async () => {
  await inFolder((path) => {
    writePidFile(path, NONE);
    Deno.writeTextFileSync(path, `${OTHER}`);
    removePidFile(path);
    assert.equal(Deno.readTextFileSync(path), `${OTHER}`);
  });
});

Deno.test("H61: what the kernel tells of processes", async () => {
  const stat = "4711 (a) b (c) S 1 4711 4711 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 0";
  assert.equal(startOf(stat), 123.45);
  const known = await runningProcesses();
  const mine = known.look(process.pid);
  assert.ok(mine?.begunMs, "begun");
  assert.ok(mine.begunMs <= Date.now() && mine.begunMs > Date.now() - 3_600_000, `${mine.begunMs}`);
  const child = new Deno.Command("sleep", { args: ["30"] }).spawn();
  try {
    assert.equal(known.look(child.pid)?.isSameProgram, false);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  assert.equal(known.look(child.pid), null);
});
