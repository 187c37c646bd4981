/**
 * H61: which links a log file may be.
 * @module
 */
import assert from "node:assert/strict";
import { logPath, type PathLooks, type PathState } from "../../src/log/log_path.ts";

const US = 1000;
const STRANGER = 1001;

type Entry = Partial<PathState> & { readonly to?: string };

/** A file system of these entries; every other path is nothing, every other folder is root's. */
function system(entries: Record<string, Entry>): PathLooks {
  const look = (path: string): PathState | null => {
    const entry = entries[path];
    if (!entry) return null;
    const kind = entry.to === undefined ? "file" : "link";
    return { kind, uid: US, mode: 0o644, links: 1, dev: 1, ino: path.length, ...entry };
  };
  const folder: PathState = { kind: "other", uid: 0, mode: 0o755, links: 2, dev: 1, ino: 1 };
  return {
    look: (path) => Promise.resolve(look(path)),
    follow: (path) => Promise.resolve(look(path) ?? folder),
    readLink: (path) => Promise.resolve(entries[path]?.to ?? ""),
    realPath: (path) => Promise.resolve(path === "/var/run" ? "/run" : path),
  };
}

const found = async (path: string, entries: Record<string, Entry>, user: number | null = US) =>
  (await logPath(path, user, system(entries))).path;

Deno.test("H61: a log file that is none, or a usual one, is taken as it is", async () => {
  assert.equal(await found("/var/log/srs.log", {}), "/var/log/srs.log");
  assert.equal(
    await found("/var/log/srs.log", { "/var/log/srs.log": { uid: 0 } }),
    "/var/log/srs.log",
  );
  // The administrator may have given it to another user, who may read it.
  const others = { "/var/log/srs.log": { uid: STRANGER } };
  assert.equal(await found("/var/log/srs.log", others), "/var/log/srs.log");
});

Deno.test("H61: a link of root or of the server's user is one on purpose", async () => {
  for (const uid of [0, US]) {
    const link = { "/log/srs.log": { uid, to: "/data/srs.log" }, "/data/srs.log": {} };
    assert.equal(await found("/log/srs.log", link), "/data/srs.log");
    // Not there yet.
    assert.equal(await found("/log/a", { "/log/a": { uid, to: "../data/b" } }), "/data/b");
    assert.equal(await found("/var/run/a", { "/var/run/a": { uid, to: "b" } }), "/run/b");
    assert.equal(
      await found("/log/srs.log", { "/log/srs.log": { uid, to: "/dev/stdout" } }),
      "/dev/stdout",
    );
  }
  assert.equal(await found("/dev/stdout", {}), "/dev/stdout");
  assert.equal(await found("/dev/x", { "/dev/x": { uid: 0, to: "/proc/self/fd/7" } }), "/dev/x");
});

Deno.test("H61: a link that another user has made is not followed", async () => {
  const planted = { "/tmp/srs.log": { uid: STRANGER, to: "/root/.profile" }, "/root/.profile": {} };
  await assert.rejects(found("/tmp/srs.log", planted), /link of another user \(1001\)/);
  await assert.rejects(found("/tmp/srs.log", planted, 0), /link of another user/);
  // Nor one behind a link of our own, nor ours when it is not known who we are.
  const behind = { "/log/a": { to: "/tmp/srs.log" }, ...planted };
  await assert.rejects(found("/log/a", behind), /\/tmp\/srs.log is a link of another user/);
  await assert.rejects(found("/log/a", { "/log/a": { to: "/b" } }, null), /another user \(1000\)/);
  await assert.rejects(
    found("/dev/shm/x", { "/dev/shm/x": { uid: STRANGER, to: "/y" } }),
    /another/,
  );
});

Deno.test("H61: a second name of a file is taken only where nobody else could have made it", async () => {
  const file = { "/tmp/srs.log": { links: 2 } };
  await assert.rejects(
    found("/tmp/srs.log", { ...file, "/tmp": { kind: "other", uid: 0, mode: 0o1777 } }),
    /second name of another file/,
  );
  await assert.rejects(
    found("/tmp/srs.log", { ...file, "/tmp": { kind: "other", uid: STRANGER, mode: 0o755 } }),
    /second name/,
  );
  assert.equal(
    await found("/tmp/srs.log", { ...file, "/tmp": { kind: "other", uid: US, mode: 0o755 } }),
    "/tmp/srs.log",
  );
});

Deno.test("H61: links in a circle are refused", async () => {
  const circle = { "/a": { uid: 0, to: "/b" }, "/b": { uid: 0, to: "/a" } };
  await assert.rejects(found("/a", circle), /more than 8 links/);
});
