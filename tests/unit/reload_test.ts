/**
 * Reloads, one after the other, of a server that may refuse them.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { Config } from "../../src/config/types.ts";
import { serverLog } from "../../src/log/log.ts";
import { closeLog } from "../../src/log/sink.ts";
import { ConfigSource, Reloader, type ReloadTarget } from "../../src/app/reload.ts";

/** A server that goes over to a configuration when the test lets it. */
class FakeServer implements ReloadTarget {
  readonly clients = 0;
  readonly wanted: Config[] = [];
  #go: (() => void) | null = null;
  refusal: string | null = null;

  constructor(public config: Config) {}

  async reload(config: Config): Promise<void> {
    this.wanted.push(config);
    await new Promise<void>((resolve) => this.#go = resolve);
    if (this.refusal) throw new Error(this.refusal);
    this.config = config;
  }

  /** Lets the reload that waits here happen, and waits for the next, or until none is under way. */
  async go(reloader: Reloader): Promise<void> {
    this.#go?.();
    this.#go = null;
    await this.reached(reloader);
  }

  /** Waits until a reload waits here, or none is under way: files are read meanwhile. */
  async reached(reloader: Reloader): Promise<void> {
    do {
      await new Promise((resolve) => setTimeout(resolve, 1));
    } while (!this.#go && reloader.report.err === 0 && reloader.report.state !== 90);
  }
}

async function scene(
  test: (scene: {
    server: FakeServer;
    reloader: Reloader;
    write: (text: string) => void;
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/a.conf`;
  const write = (text: string) => writeFileSync(file, `listen 1; vhost a { } ${text}`);
  try {
    write("");
    const source = new ConfigSource(file);
    const loaded = source.load();
    const server = new FakeServer(loaded.config);
    await test({ server, reloader: new Reloader(source, loaded, server), write });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("reload: what is asked for meanwhile is done once, afterwards, with the file of that time", async () => {
  await scene(async ({ server, reloader, write }) => {
    write("max_connections 10;");
    reloader.request();
    await server.reached(reloader);
    assert.equal(reloader.report.state, 30);
    const first = reloader.report.rid;
    for (const limit of [20, 30, 40]) {
      write(`max_connections ${limit};`);
      reloader.request();
    }
    assert.deepEqual(server.wanted.map(({ maxConnections }) => maxConnections), [10]);
    await server.go(reloader);
    assert.equal(server.config.maxConnections, 10);
    assert.deepEqual(server.wanted.map(({ maxConnections }) => maxConnections), [10, 40]);
    await server.go(reloader);
    assert.equal(server.config.maxConnections, 40);
    assert.deepEqual({ ...reloader.report, rid: "" }, {
      rid: "",
      state: 90,
      err: 0,
      msg: "Success",
    });
    assert.notEqual(reloader.report.rid, first);
    await server.go(reloader);
    assert.equal(server.wanted.length, 2);
  });
});

Deno.test("F4: reload: a file that does not answer holds up nothing, and counts once it does", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [file, included] = [`${folder}/a.conf`, `${folder}/b.conf`];
    writeFileSync(file, "listen 1; vhost a { }");
    const source = new ConfigSource(file);
    const loaded = source.load();
    const server = new FakeServer(loaded.config);
    const reloader = new Reloader(source, loaded, server);
    writeFileSync(file, `include ${included}; listen 1; vhost a { }`);
    // To open a pipe takes as long as nobody writes to it.
    assert.ok((await new Deno.Command("mkfifo", { args: [included] }).output()).success);
    reloader.request();
    for (let turns = 0; turns < 20; turns++) await new Promise((done) => setTimeout(done, 2));
    assert.equal(reloader.report.state, 10);
    await Deno.writeTextFile(included, "max_connections 77;");
    await server.reached(reloader);
    await server.go(reloader);
    assert.equal(server.config.maxConnections, 77);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("reload: how far it came, and why not farther", async () => {
  await scene(async ({ server, reloader, write }) => {
    const rows: [string, number, RegExp][] = [
      ["vhost {", 10, /a\.conf:1:/],
      ["nonsense 1;", 20, /a\.conf:1:\d+: unknown directive "nonsense"/],
      ["max_connections 0;", 20, /max_connections/],
    ];
    for (const [text, state, msg] of rows) {
      write(text);
      reloader.request();
      await server.reached(reloader);
      const { report } = reloader;
      assert.deepEqual([report.state, report.err], [state, 1023], text);
      assert.match(report.msg, msg);
    }
    assert.equal(server.wanted.length, 0);
    write("max_connections 10;");
    server.refusal = "cannot listen on 0.0.0.0:1: the port is in use";
    reloader.request();
    await server.reached(reloader);
    await server.go(reloader);
    assert.deepEqual({ ...reloader.report, rid: "" }, {
      rid: "",
      state: 30,
      err: 1023,
      msg: "cannot listen on 0.0.0.0:1: the port is in use",
    });
    assert.equal(server.config.maxConnections, 1000);
  });
});

Deno.test("reload: what needs a restart stays as it was started", async () => {
  await scene(async ({ server, reloader, write }) => {
    write("workers 4; pid ./a.pid; work_dir /tmp; daemon on; grace_max_wait 7;");
    reloader.request();
    await server.reached(reloader);
    await server.go(reloader);
    const { workers, pid, workDir, daemonRequested, grace } = server.config;
    assert.deepEqual([workers, pid, workDir, daemonRequested], [1, null, null, false]);
    assert.equal(grace.maxWaitMs, 7);
  });
});

Deno.test("reload: a configuration that cannot be applied leaves the log where it was", async () => {
  const folder = await Deno.makeTempDir();
  const logTo = (name: string) => `srs_log_tank file; srs_log_file ${folder}/${name}.log;`;
  const read = (name: string) => readFileSync(`${folder}/${name}.log`, "utf8");
  try {
    await scene(async ({ server, reloader, write }) => {
      write(logTo("old"));
      reloader.request();
      await until(() => server.wanted.length === 1);
      await server.go(reloader);
      await until(() => reloader.report.state === 90);
      serverLog.info("before");
      write(logTo("new"));
      server.refusal = "cannot listen";
      reloader.request();
      await until(() => server.wanted.length === 2);
      serverLog.info("meanwhile");
      await server.go(reloader);
      await until(() => reloader.report.err !== 0);
      serverLog.info("after");
      // The setting is not in effect: the next reload opens the new file again.
      server.refusal = null;
      reloader.request();
      await until(() => server.wanted.length === 3);
      await server.go(reloader);
      await until(() => reloader.report.state === 90);
      serverLog.info("at last");
      reloader.request();
      await until(() => server.wanted.length === 4);
      await server.go(reloader);
      await until(() => reloader.report.state === 90);
      await closeLog();
      assert.match(read("old"), /before[^]*nothing changed[^]*cannot listen[^]*after/);
      // What was refused is a change still; what was applied is none any more.
      assert.match(
        read("new"),
        /meanwhile[^]*reload: \w+.* srs_log_file .*new\.log[^]*at last[^]*reload: nothing changed/,
      );
      assert.doesNotMatch(read("new"), /nothing changed[^]*at last/);
      assert.doesNotMatch(read("new"), /before|after/);
      assert.doesNotMatch(read("old"), /meanwhile|at last/);
    });
  } finally {
    await closeLog();
    await Deno.remove(folder, { recursive: true });
  }
});

/** Waits until something is the case, a few seconds at most. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within 5 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
