/**
 * What other programs and users of the machine can do to the process: signals, links, its environment.
 * @module
 */
import assert from "node:assert/strict";
import net from "node:net";
import { sleep, until } from "../tools/process.ts";
import { scenario } from "../tools/scenario.ts";
import { silentServer } from "../tools/hook_server.ts";
import {
  accepts,
  configText,
  freePort,
  launch,
  runtimes,
  type Server,
  serverCommand,
} from "../tools/server.ts";
import { WatchedControl } from "../tools/watched_control.ts";
import { whyNoWorkers } from "../tools/workers.ts";

/** ms for something that is there at once, on a machine that does other things as well. */
const SOON_MS = 10_000;

/** ms that a debugger would take to listen. */
const DEBUGGER_MS = 700;

const VHOST = "min_latency on; http_remux { enabled on; }";

/** The ports, of any address, on which a process listens. */
async function listening(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ss", { args: ["-H", "-ltnp"] }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const ports = lines.filter((line) => line.includes(`pid=${pid},`))
    .map((line) => Number(/:(\d+)\s/.exec(line)?.[1]));
  return [...new Set(ports)].sort();
}

/** The log file's text, or "". */
function logged(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** The number is written after the ports are open. */
function numbered(path: string, server: Server): Promise<boolean> {
  const number = String(server.process.pid);
  return until(`number ${number} in ${path}`, SOON_MS, () => logged(path) === number);
}

/** What logrotate does, by a signal of its choice. */
async function rotates(server: Server, path: string, signal: Deno.Signal): Promise<void> {
  await Deno.rename(path, `${path}.1`);
  server.process.signal(signal);
  await until(`lines in the new file after ${signal}`, SOON_MS, async () => {
    assert.equal(server.process.exit, null, `${signal} ended the server`);
    // It has a line.
    await accepts(server.port);
    return logged(path) !== "";
  });
}

const impossible = await whyNoWorkers();

for (const runtime of runtimes()) {
  const command = serverCommand(runtime);

  for (const workers of [1, 2]) {
    scenario(`H52 on ${runtime}: no signal opens a debugger; workers ${workers}`, async (s) => {
      const path = `${s.folder}/srs.log`;
      const server = await s.server({
        vhost: VHOST,
        global: `workers ${workers}; srs_log_tank file; srs_log_file ${path};`,
        command,
      });
      await until("the workers", SOON_MS, () => logged(path).includes("RTMP listen at"));
      const control = await WatchedControl.start(server);
      try {
        const before = await listening(server.process.pid);
        assert.ok(before.includes(server.port) && before.includes(server.apiPort), `${before}`);
        for (let i = 0; i < 3; i++) {
          for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"] as const) {
            server.process.signal(signal);
            await sleep(DEBUGGER_MS / 3);
          }
        }
        await sleep(DEBUGGER_MS);
        assert.deepEqual(await listening(server.process.pid), before, server.log);
        assert.equal(server.process.exit, null);
        assert.doesNotMatch(server.log + logged(path), /[Dd]ebugger/);
        await rotates(server, path, "SIGUSR2");
        await control.fine("after the signals");
      } finally {
        control.stop();
      }
    }, { ignore: workers === 1 ? null : impossible });
  }

  scenario(`H52 on ${runtime}: SRS's signal opens the log anew where it is free`, async (s) => {
    const path = `${s.folder}/srs.log`;
    const server = await s.server({
      global: `srs_log_tank file; srs_log_file ${path};`,
      command,
    });
    if (runtime === "deno") {
      await Deno.rename(path, `${path}.1`);
      server.process.signal("SIGUSR1");
      await sleep(DEBUGGER_MS);
      await accepts(server.port);
      await sleep(DEBUGGER_MS);
      assert.equal(logged(path), "", "from source Deno's own SIGUSR1 is switched off");
      await Deno.rename(`${path}.1`, path);
    } else {
      await rotates(server, path, "SIGUSR1");
    }
    await rotates(server, path, "SIGUSR2");
  });

  scenario(`H52 on ${runtime}: a signal during the start ends nothing`, async (s) => {
    const [port, path] = [freePort(), `${s.folder}/srs.log`];
    const options = { global: `srs_log_tank file; srs_log_file ${path};` };
    const file = `${s.folder}/srs.conf`;
    await Deno.writeTextFile(file, configText(port, freePort(), options));
    const server = s.add(launch("server", ["-c", file], command));
    // Its first line comes before its port.
    await until("the log's first line", SOON_MS, () => logged(path) !== "");
    const signals = ["SIGHUP", "SIGUSR2", ...runtime === "deno" ? [] : ["SIGUSR1"]] as const;
    for (const signal of signals) server.signal(signal as Deno.Signal);
    await until("the port", SOON_MS, () => {
      assert.equal(server.exit, null, server.report());
      return accepts(port);
    });
    await until("the reload", SOON_MS, () => /reload/.test(logged(path)));
    assert.equal((await server.stop()).code, 0);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    scenario(
      `H54 on ${runtime}: ${signal} twice hastens the end, and leaves nothing`,
      async (s) => {
        const hooks = silentServer();
        try {
          const pid = `${s.folder}/srs.pid`;
          const url = `${hooks.url}on`;
          const options = {
            vhost: `${VHOST} http_hooks { enabled on; on_stop ${url}; on_close ${url}; }`,
            global: `pid ${pid};`,
            command,
          };
          const took = [];
          for (const times of [1, 3]) {
            const server = await s.server(options);
            await numbered(pid, server);
            // It is told of, to nobody who listens, which takes 500 ms.
            await (await s.raw(server)).play("live", "cam");
            const before = performance.now();
            for (let i = 0; i < times; i++) {
              server.process.signal(signal);
              await sleep(50);
            }
            const { code } = await server.process.finish(SOON_MS);
            took.push(performance.now() - before);
            assert.equal(code, 0, server.process.report());
            assert.equal(logged(pid), "", "the pid file");
            assert.match(server.log, /srs-edge terminated/);
            assert.equal(server.log.split(`${signal} again`).length - 1, times === 1 ? 0 : 1);
          }
          assert.ok(took[1] < took[0], `once ${took[0]} ms, three times ${took[1]} ms`);
        } finally {
          hooks.stop();
        }
      },
    );
  }

  scenario(`H61 on ${runtime}: "pid" names something that is no pid file`, async (s) => {
    const secret = `${s.folder}/secret`;
    const pid = `${s.folder}/srs.pid`;
    const refused = async (reason: RegExp) => {
      const file = `${s.folder}/refused.conf`;
      await Deno.writeTextFile(file, configText(freePort(), freePort(), { global: `pid ${pid};` }));
      const child = s.add(launch("refused", ["-c", file], command));
      assert.equal((await child.finish(SOON_MS)).code, 1, child.report());
      assert.match(child.stderr, reason);
      assert.match(child.stderr, /srs\.pid.*remove the file/);
    };
    await Deno.writeTextFile(pid, "a diary");
    await refused(/something else than a process number/);
    assert.equal(logged(pid), "a diary");
    await Deno.remove(pid);

    await Deno.writeTextFile(secret, "4000000");
    await Deno.symlink(secret, pid);
    await refused(/it is a link/);
    assert.equal(logged(secret), "4000000");
    await Deno.remove(pid);

    // This process runs, and began before the file.
    await Deno.writeTextFile(pid, String(Deno.pid));
    await refused(new RegExp(`belongs to process ${Deno.pid}`));
    await Deno.remove(pid);

    // What a crash leaves.
    await Deno.writeTextFile(pid, "4000000\n");
    const server = await s.server({ global: `pid ${pid};`, vhost: VHOST, command });
    await numbered(pid, server);
    const control = await WatchedControl.start(server);
    try {
      // Another one with the same file is a successor, whose number stays.
      const successor = await s.server({ global: `pid ${pid};`, command });
      await numbered(pid, successor);
      await control.fine("beside a successor");
      control.stop();
      assert.equal((await server.process.stop("SIGTERM")).code, 0);
      assert.equal(logged(pid), String(successor.process.pid));
      await Deno.rename(pid, secret);
      await Deno.symlink(secret, pid);
      assert.equal((await successor.process.stop("SIGTERM")).code, 0);
      assert.equal(logged(secret), String(successor.process.pid), "what a link leads to stays");
      assert.ok((await Deno.lstat(pid)).isSymlink);
    } finally {
      control.stop();
    }
  });

  scenario(`H61 on ${runtime}: a link that another user has put where the log is`, async (s) => {
    const target = `${s.folder}/.profile`;
    const path = `${s.folder}/srs.log`;
    const global = `srs_log_tank file; srs_log_file ${path};`;
    await Deno.writeTextFile(target, "export A=1\n");
    await Deno.symlink(target, path);
    const ours = await s.server({ global, vhost: VHOST, command });
    await until("lines behind our own link", SOON_MS, () => logged(target).includes("RTMP listen"));
    const control = await WatchedControl.start(ours);
    try {
      // After the rotation there is another one's link.
      await Deno.remove(path);
      await plant(target, path);
      ours.process.signal("SIGUSR2");
      await until("the refusal, in the old file", SOON_MS, () => logged(target).includes(REFUSED));
      await control.fine("with a log that cannot be reopened");
    } finally {
      control.stop();
    }
    const before = logged(target);
    await ours.process.stop("SIGTERM");
    const file = `${s.folder}/refused.conf`;
    await Deno.writeTextFile(file, configText(freePort(), freePort(), { global }));
    const child = s.add(launch("refused", ["-c", file], command));
    assert.equal((await child.finish(SOON_MS)).code, 1, child.report());
    assert.ok(child.stderr.includes(REFUSED), child.stderr);
    assert.ok(logged(target).startsWith(before) && !logged(target).includes(`[${child.pid}]`));
  }, { ignore: Deno.uid() === 0 ? null : "it takes root to make another user's link" });

  scenario(`H61 on ${runtime}: a log file may be a link to the console on purpose`, async (s) => {
    const path = `${s.folder}/srs.log`;
    await Deno.symlink("/dev/stdout", path);
    const server = await s.server({
      global: `srs_log_tank file; srs_log_file ${path};`,
      command,
    });
    await until("lines on stdout", SOON_MS, () => server.process.stdout.includes("RTMP listen at"));
    server.process.signal("SIGUSR2");
    await accepts(server.port);
    assert.equal((await server.process.stop("SIGTERM")).code, 0);
    assert.match(server.process.stdout, /srs-edge terminated/);
  });

  scenario(`H62 on ${runtime}: guessing the API's password`, async (s) => {
    const server = await s.server({
      text: `listen 127.0.0.1:PORT;
max_connections 100;
http_api { enabled on; listen 127.0.0.1:${freePort()}; auth { enabled on; username a; password right; } }
http_server { enabled on; listen 127.0.0.1:${freePort()}; }
exporter { enabled on; listen 127.0.0.1:${freePort()}; }
vhost __defaultVhost__ { ${VHOST} }`,
      command,
    });
    const config = await Deno.readTextFile(server.configFile);
    const [api, flv] = [...config.matchAll(/listen 127.0.0.1:(\d+); (?:auth|\})/g)].map((
      [, port],
    ) => Number(port));
    await until("the API", SOON_MS, () => accepts(api));
    const control = await WatchedControl.start({
      port: server.port,
      apiPort: flv,
      process: server.process,
    });
    const ask = async (password: string, from: string) => {
      const client = await fetchFrom(from, api, `Basic ${btoa(`a:${password}`)}`);
      return Number(/^HTTP\/1.1 (\d+)/.exec(client)?.[1]);
    };
    try {
      assert.equal(await ask("right", "127.0.0.1"), 200);
      const answers = new Map<number, number>();
      for (let i = 0; i < 500; i++) {
        const status = await ask(`wrong${i}`, "127.0.0.2");
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
      assert.ok((answers.get(401) ?? 0) < 100, `${[...answers]}`);
      assert.ok((answers.get(429) ?? 0) > 400, `${[...answers]}`);
      assert.equal([...answers].reduce((sum, [, count]) => sum + count, 0), 500);
      assert.equal(await ask("right", "127.0.0.1"), 200, "from another address");
      assert.equal(server.log.split("wrong password").length - 1, 1, "one line");
      assert.match(server.log, /wrong password from 127\.0\.0\.2/);
      // The one who forgot the password gets in again.
      await until("the right password from the same address", SOON_MS, async () => {
        return await ask("right", "127.0.0.2") === 200;
      });
      const metrics = await fetchFrom("127.0.0.1", api, `Basic ${btoa("a:right")}`, "/metrics");
      assert.ok(Number(/^srs_edge_wrong_passwords_total (\d+)/m.exec(metrics)?.[1]) >= 30);
      assert.ok(Number(/^srs_edge_refused_logins_total (\d+)/m.exec(metrics)?.[1]) > 400);
      await control.fine("while a password is guessed");
    } finally {
      control.stop();
    }
  });

  scenario(
    `H46 on ${runtime}: one connection that changes channel, one address that reconnects`,
    async (s) => {
      const server = await s.server({ vhost: VHOST, command });
      const control = await WatchedControl.start(server);
      try {
        const player = await s.raw(server);
        await player.play("live", "first");
        const long = "n".repeat(400);
        const before = server.log.length;
        for (let i = 0; i < 250; i++) {
          player.command("play", null, `${long}${i}`);
          // Below the limit of commands.
          await sleep(15);
        }
        const changes = server.log.slice(before);
        assert.ok(changes.split("\n").length < 300, `${changes.split("\n").length} lines`);
        player.destroy();
        await until("the end of the connection, and what was left out", SOON_MS, () => {
          return /\d+ lines left out\n.*(disconnect|connection lost)/.test(
            server.log.slice(before),
          );
        });

        const address = "127.0.0.9";
        let left = RECONNECTS;
        const reconnect = async () => {
          while (left-- > 0) await visit(server.port, address);
        };
        await Promise.all(Array.from({ length: 20 }, reconnect));
        await until("the number of lines left out", 2 * SOON_MS, () => {
          return server.log.includes(`lines left out, of connections from ${address}`);
        });
        const lines = server.log.split("\n").filter((line) => line.includes(`ip=${address}:`));
        assert.ok(lines.length < RECONNECTS * 0.9, `${lines.length} of ${RECONNECTS} connections`);
        // Others have theirs.
        const other = await s.raw(server);
        await other.play("live", "other");
        await until("another client's lines", SOON_MS, () => server.log.includes("stream=other"));
        await control.fine("while much is logged");
      } finally {
        control.stop();
      }
    },
  );
}

/** Connections of one address; each has three lines, of 10,000 and 50 a second. */
const RECONNECTS = 4500;

/** Connects from an address, and leaves. */
function visit(port: number, from: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port, localAddress: from });
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.on("connect", () => socket.end());
    socket.on("close", () => resolve());
  });
}

/** Asks from an address of this machine; returns the whole answer. */
function fetchFrom(
  from: string,
  port: number,
  authorization: string,
  path = "/api/v1/versions",
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: "127.0.0.1", port, localAddress: from });
    let answer = "";
    socket.setTimeout(SOON_MS, () => socket.destroy(new Error("no answer")));
    socket.on("data", (part: Uint8Array) => answer += new TextDecoder().decode(part));
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.end(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
  });
}

const REFUSED = "is a link of another user";

/** A user who is not this one. */
const STRANGER = 12345;

/** Makes a link that belongs to another user. */
async function plant(target: string, path: string): Promise<void> {
  await Deno.symlink(target, path);
  const { success } = await new Deno.Command("chown", {
    args: ["-h", `${STRANGER}`, path],
  }).output();
  assert.ok(success);
}

scenario("H52: without the C library the log says what SIGUSR1 does", async (s) => {
  const [deno, ...rest] = serverCommand("deno");
  const flags = rest.filter((flag) => !flag.startsWith("--allow-ffi"));
  const server = await s.server({ command: [deno, ...flags, "--no-prompt"].toSorted(atTheEnd) });
  await until("the warning", SOON_MS, () => server.log.includes("SIGUSR1 opens this runtime's"));
});

/** The program after the runtime's flags. */
function atTheEnd(a: string, b: string): number {
  return Number(a.endsWith(".ts")) - Number(b.endsWith(".ts"));
}
