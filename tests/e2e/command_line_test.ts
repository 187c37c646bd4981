/**
 * Flags, exit codes, what a user is told when it does not start, and how it ends.
 * @module
 */
import assert from "node:assert/strict";
import { media } from "../tools/media.ts";
import { accepts, configText, freePort } from "../tools/server.ts";
import { assertPlayed, type Scenario, scenario } from "../tools/scenario.ts";
import { sleep, until, within } from "../tools/process.ts";
import type { Child } from "../tools/process.ts";

/** ms that a call which does not serve may take; the runtime's start is most of it. */
const CALL_LIMIT_MS = 20_000;

/** Exit status of SRS for a bad configuration. */
const BAD_CONFIG = 255;

/** An address that is no host's own (RFC 5737, for documentation). */
const FOREIGN_ADDRESS = "192.0.2.1";

/** Runs the server's command to its end. */
async function call(s: Scenario, ...args: string[]): Promise<Child & { code: number }> {
  const child = s.command(...args);
  const { code } = await child.finish(CALL_LIMIT_MS);
  return Object.assign(child, { code });
}

/** A configuration file with this text. */
async function file(s: Scenario, text: string): Promise<string> {
  const path = `${s.folder}/given.conf`;
  await Deno.writeTextFile(path, text);
  return path;
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** Asserts a failed start as a user wants it: one line on stderr that names `what`, and no stack. */
function assertOneClearLine(child: Child & { code: number }, what: RegExp): void {
  assert.notEqual(child.code, 0, `exit status\n${child.report()}`);
  const told = lines(child.stderr);
  assert.equal(told.length, 1, `one line on stderr, not ${told.length}:\n${child.stderr}`);
  assert.match(told[0], what);
  assertNoStack(child);
}

function assertNoStack(child: Child): void {
  assert.doesNotMatch(child.stdout + child.stderr, /^\s+at /m, "no stack trace");
}

scenario("-t of a good file: exit 0, SRS's last line", async (s) => {
  const path = await file(s, configText(freePort(), freePort(), {}));
  for (const args of [["-t", "-c", path], ["-tc", path], ["-c", path, "-t"]]) {
    const child = await call(s, ...args);
    assert.equal(child.code, 0, child.report());
    const said = lines(child.stdout);
    assert.match(said[said.length - 1], /config file .*given\.conf test is successful$/);
    assertNoStack(child);
  }
});

scenario("-t of a file with a mistake: exit 255, place, line and the right name", async (s) => {
  const path = await file(
    s,
    "listen 1935;\nmax_connections 100;\nvhost __defaultVhost__ {\n    play {\n" +
      "        gop_cach off;\n    }\n}\n",
  );
  const child = await call(s, "-t", "-c", path);
  assert.equal(child.code, BAD_CONFIG);
  const all = child.stdout + child.stderr;
  assert.ok(all.includes(`${path}:5:9`), `file:line:column\n${all}`);
  assert.match(all, /gop_cach off;/, "the line is shown");
  assert.match(all, /gop_cache/, "the nearest name is suggested");
  const said = lines(child.stdout);
  assert.match(said[said.length - 1], /config file .*given\.conf test is failed$/);
  assertNoStack(child);
});

scenario("-t opens no port", async (s) => {
  const server = await s.server();
  const child = await call(s, "-t", "-c", server.configFile);
  assert.equal(child.code, 0, "the ports of the file are taken, and that does not matter");
});

scenario("a bad file does not start: exit 255 and where the mistake is", async (s) => {
  const path = await file(s, "listen 1935;\nvhost a {\n");
  const child = await call(s, "-c", path);
  assert.equal(child.code, BAD_CONFIG);
  assert.match(child.stderr, /given\.conf:\d+/);
  assertNoStack(child);
});

for (const flag of ["-v", "--version"]) {
  scenario(`${flag} prints a version and ends`, async (s) => {
    const child = await call(s, flag);
    assert.equal(child.code, 0, child.report());
    assert.match(child.stdout, /^\S*\s*v?\d+\.\d+\.\d+\s*$/);
    assert.equal(child.stderr, "");
  });
}

for (const flag of ["-h", "--help"]) {
  scenario(`${flag} prints the usage and ends`, async (s) => {
    const child = await call(s, flag);
    assert.equal(child.code, 0, child.report());
    assert.match(child.stdout, /usage/i);
    for (const option of ["-c", "-t", "-v", "-h"]) assert.ok(child.stdout.includes(option), option);
    assert.equal(child.stderr, "");
  });
}

scenario("--print-config writes an example out, byte for byte", async (s) => {
  const names = lines((await call(s, "--print-config", "")).stdout)[0].split(" ");
  assert.ok(names.includes("realtime"), names.join());
  for (const name of names) {
    const child = await call(s, "--print-config", name);
    assert.equal(child.code, 0, child.report());
    const shipped = new URL(`../../conf/${name}.conf`, import.meta.url);
    assert.equal(child.stdout, await Deno.readTextFile(shipped));
  }
  assertOneClearLine(await call(s, "--print-config", "none"), /"none".*realtime/);
});

scenario("install says when it cannot", async (s) => {
  await Deno.writeTextFile(`${s.folder}/a-file`, "");
  const child = await call(s, "install", "--root", `${s.folder}/a-file`);
  // From source there is no executable to install; an executable cannot make folders in a file.
  assertOneClearLine(child, /deno task build|cannot write .*a-file/);
});

scenario("from source: a runtime that is too old is named, with the cure", async (s) => {
  // The runtime's own word for its version is all that tells it: an older one, as far as main knows.
  const program = `${s.folder}/old.ts`;
  const main = new URL("../../src/main.ts", import.meta.url).href;
  for (const [key, version, cure] of [["deno", "2.6.8", "upgrade"], ["bun", "1.3.14", "upgrade"]]) {
    await Deno.writeTextFile(
      program,
      `import process from "node:process";
       Object.defineProperty(process, "versions", { value: { ${key}: "${version}" } });
       await import("${main}");\n`,
    );
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const command = [Deno.execPath(), "run", "--allow-all", "--config", config, program, "-v"];
    const child = s.spawn(`on ${key} ${version}`, command);
    const { code } = await child.finish(CALL_LIMIT_MS);
    assertOneClearLine(
      Object.assign(child, { code }),
      new RegExp(`${version}.*(2\\.9|1\\.4) or later.*${cure}`),
    );
    assert.equal(child.stdout, "");
  }
});

scenario("an unknown flag is named", async (s) => {
  assertOneClearLine(await call(s, "--no-such-flag"), /no-such-flag/);
});

scenario("-c without a file says so", async (s) => {
  assertOneClearLine(await call(s, "-c"), /-c/);
});

scenario("a missing file is named", async (s) => {
  assertOneClearLine(await call(s, "-c", `${s.folder}/nothing.conf`), /nothing\.conf/);
});

scenario("F28: a directory and an unreadable path are named as such", async (s) => {
  assertOneClearLine(await call(s, "-c", s.folder), /it is a directory: name a file in it/);
  const plain = await file(s, "listen 1;\n");
  assertOneClearLine(
    await call(s, "-c", `${plain}/x`),
    /given\.conf\/x.*is a file, not a directory/,
  );
});

scenario("F22: a file with a byte-order mark is good", async (s) => {
  const path = await file(s, "\ufefflisten 1935;\nvhost __defaultVhost__ { }\n");
  const child = await call(s, "-t", "-c", path);
  assert.equal(child.code, 0, child.report());
});

scenario("F29: a command or an option with a typing error", async (s) => {
  assertOneClearLine(await call(s, "prob"), /"prob", did you mean "probe"\?/);
  assertOneClearLine(await call(s, "--confg", "x"), /--confg.*did you mean "--config"\?/);
  assertOneClearLine(await call(s, "probe", "--publsh"), /--publsh.*did you mean "--publish"\?/);
});

scenario("an RTMP port in use is named", async (s) => {
  const server = await s.server();
  const path = await file(s, configText(server.port, freePort(), {}));
  assertOneClearLine(await call(s, "-c", path), new RegExp(`${server.port}\\b.*in use`, "i"));
});

scenario("an API port in use is named", async (s) => {
  const server = await s.server();
  const path = await file(s, configText(freePort(), server.apiPort, {}));
  assertOneClearLine(await call(s, "-c", path), new RegExp(`${server.apiPort}\\b.*in use`, "i"));
});

scenario("F24: every address of rtmp { listen ... } is served, the root's is not", async (s) => {
  const [second, outside] = [freePort(), freePort()];
  const server = await s.server({
    text: `listen 127.0.0.1:${outside};
rtmp { listen 127.0.0.1:PORT 127.0.0.1:${second}; chunk_size 4096; }
http_api { enabled off; }
vhost __defaultVhost__ { }`,
  });
  assert.ok(await accepts(server.port));
  await until("the second address", CALL_LIMIT_MS, () => accepts(second));
  assert.ok(!(await accepts(outside)));
  assert.match(server.log, /listen is ignored: the one in rtmp \{ \} at .*:2:8 counts/);
});

scenario("an address that this machine does not have is named", async (s) => {
  const text = configText(freePort(), freePort(), {});
  const path = await file(s, text.replace("listen 127.0.0.1", `listen ${FOREIGN_ADDRESS}`));
  assertOneClearLine(await call(s, "-c", path), /192\.0\.2\.1/);
});

scenario("what SRS knows and this server does not offer is a warning, and it starts", async (s) => {
  const server = await s.server({ vhost: "hls {\n enabled on;\n hls_path ./x;\n}" });
  const told = lines(server.log).filter((line) => /warn.*\bhls\b/i.test(line));
  assert.equal(told.length, 1, `one warning\n${server.log}`);
  assert.match(told[0], /server-\d+\.conf:\d+/, "with its place");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  scenario(`${signal}: exit 0, and players end in good order`, async (s) => {
    const server = await s.server({ vhost: "min_latency on; play { mw_latency 100; }" });
    const clip = await media("small-0");
    const url = server.url("live/livestream");
    const publisher = s.publish(clip, url, { loop: true });
    const player = await s.play(url);
    const raw = await s.raw(server);
    await raw.play("live", "livestream");
    await player.received("video", 50);
    const status = await server.process.stop(signal);
    assert.equal(status.code, 0, `exit status\n${server.process.report()}`);
    assert.equal(status.signal, null);
    assert.equal(await within("the end of our player", 5000, raw.ended), "end", "no reset");
    assert.ok((await player.process.finish(5000)).success, "ffmpeg ends as at the end of a file");
    assertPlayed("player", player.recording(), clip, { seconds: 1, loop: true });
    await publisher.finish(10_000);
    assertNoStack(server.process);
    assert.equal(server.process.stderr, "", "nothing on stderr");
  });
}

scenario("it stops at once although a player does not read", async (s) => {
  const server = await s.server({ vhost: "min_latency on;" });
  s.publish(await media("high-bitrate"), server.url("live/livestream"), { loop: true });
  const deaf = await s.raw(server);
  await deaf.play("live", "livestream");
  deaf.pause();
  // Long enough that its socket is full.
  await sleep(8000);
  assert.equal((await server.process.stop("SIGTERM")).code, 0);
});
