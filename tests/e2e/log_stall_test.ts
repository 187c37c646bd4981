/**
 * F3, F4: a log that nobody takes holds up nothing: neither media nor API nor those who come. What does
 * not fit is counted, and the count is logged when somebody takes it again.
 * @module
 */
import assert from "node:assert/strict";
import { ControlStream } from "../tools/control_stream.ts";
import { FlvClient } from "../tools/flv_client.ts";
import { Child, sleep, until } from "../tools/process.ts";
import { RawClient } from "../tools/raw_client.ts";
import { type Scenario, scenario } from "../tools/scenario.ts";
import { runtimes, type Server, serverCommand } from "../tools/server.ts";

/** Players whose lines are more than waits for a reader: 1 MB, and what a pipe or terminal holds. */
const VISITORS = 1000;
/** Of them, how many at a time. */
const AT_A_TIME = 10;
/** Characters of the name that each of them asks for. */
const NAME_CHARACTERS = 400;
/** ms until lines are where they belong, once somebody takes them. */
const LINES_LIMIT_MS = 20_000;
/** ms that the end may take: 1 s is waited for the reader, and the rest is the machine's. */
const END_LIMIT_MS = 8000;
/** The API answers at once, on a machine that does other things as well. */
const ANSWER_LIMIT_MS = 5000;

/** Makes the server log as much as nothing can hold. */
async function flood(server: Server): Promise<void> {
  let left = VISITORS;
  const visit = async () => {
    while (left-- > 0) {
      const client = await RawClient.open(server.port);
      try {
        await client.play("live", `${left}-${"x".repeat(NAME_CHARACTERS)}`);
      } finally {
        client.destroy();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, visit));
}

/** While nobody takes a line: everything goes on, and newcomers are served. */
async function servesOn(server: Server): Promise<void> {
  const control = await ControlStream.start(server.port);
  const web = await FlvClient.open(`http://127.0.0.1:${server.apiPort}/control/stream.flv`);
  await flood(server);
  const before = web.tags.length;
  await control.progress("after more lines than anything holds", 50);
  await web.received(before + 50);
  const answer = await fetch(`http://127.0.0.1:${server.apiPort}/api/v1/streams/`, {
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  assert.equal((await answer.json()).code, 0);
  web.close();
  control.stop();
}

/** Of the lines that were taken in the end. */
async function tellsTheLoss(output: () => string): Promise<void> {
  const lost = await until("the line that counts the lost ones", LINES_LIMIT_MS, () => {
    return /\[WARN\].* (\d+) log lines lost/.exec(output())?.[1];
  });
  assert.ok(Number(lost) > 10, `${lost} lines`);
}

const VHOST = "http_remux { enabled on; }";
/** Visitors that have gone count for a moment longer. */
const CONNECTIONS = 900;

/** A pipe with a reader that can be stopped, at this path. */
async function pipe(s: Scenario, path: string): Promise<Child> {
  const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(success);
  return s.spawn("reader", ["cat", path]);
}

async function endsInTime(server: Server): Promise<void> {
  server.process.signal("SIGTERM");
  await until("the end of the server", END_LIMIT_MS, () => server.process.exit !== null);
}

/**
 * Runs a command in a terminal, whose output it passes on. SIGUSR1 is Ctrl-S, SIGUSR2 is Ctrl-Q, and
 * SIGTERM goes to the command.
 */
const TERMINAL = `
import os, pty, signal, sys
pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGUSR1, lambda *_: os.write(master, b"\\x13"))
signal.signal(signal.SIGUSR2, lambda *_: os.write(master, b"\\x11"))
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
while True:
    try:
        data = os.read(master, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
os.waitpid(pid, 0)
`;

/** The calls that write to a file, which strace makes as slow as a disk that hangs. */
const WRITES = "write,writev,pwrite64,pwritev";

/** Why strace cannot be used here; null: it can. */
const noStrace = await new Deno.Command("strace", {
  args: ["-f", "-qq", "-o", "/dev/null", "true"],
}).output().then(({ success }) => success ? null : "strace may not trace", () => "no strace");

for (const runtime of runtimes()) {
  const command = serverCommand(runtime);

  scenario(`F3 on ${runtime}: nobody reads stdout any more`, async (s) => {
    const path = `${s.folder}/stdout`;
    const reader = await pipe(s, path);
    const server = await s.server({
      vhost: VHOST,
      maxConnections: CONNECTIONS,
      command: ["sh", "-c", `exec "$0" "$@" >${path}`, ...command],
    });
    reader.signal("SIGSTOP");
    await servesOn(server);
    reader.signal("SIGCONT");
    await tellsTheLoss(() => reader.stdout);
    reader.signal("SIGSTOP");
    await flood(server);
    await endsInTime(server);
  });

  scenario(`F3 on ${runtime}: a terminal is stopped by Ctrl-S`, async (s) => {
    const server = await s.server({
      vhost: VHOST,
      maxConnections: CONNECTIONS,
      command: ["python3", "-c", TERMINAL, ...command],
    });
    const terminal = server.process;
    terminal.signal("SIGUSR1");
    // The terminal is another process, which has to hear of it first.
    await sleep(200);
    await servesOn(server);
    terminal.signal("SIGUSR2");
    await tellsTheLoss(() => terminal.stdout);
    terminal.signal("SIGUSR1");
    await flood(server);
    await endsInTime(server);
  });

  scenario(`F4 on ${runtime}: the disk of the log file does not answer`, async (s) => {
    const path = `${s.folder}/srs.log`;
    const reader = await pipe(s, path);
    const server = await s.server({
      vhost: VHOST,
      maxConnections: CONNECTIONS,
      global: `srs_log_tank file; srs_log_file ${path};`,
      command,
    });
    reader.signal("SIGSTOP");
    await servesOn(server);
    // logrotate comes by: opening does not answer either, since nobody reads the new pipe yet.
    await Deno.rename(path, `${path}.1`);
    await new Deno.Command("mkfifo", { args: [path] }).output();
    server.process.signal("SIGUSR2");
    const control = await ControlStream.start(server.port);
    await control.progress("while the log file is opened", 50);
    control.stop();
    reader.signal("SIGCONT");
    await tellsTheLoss(() => reader.stdout);
    const second = s.spawn("second reader", ["cat", path]);
    await until("lines in the new file", LINES_LIMIT_MS, () => second.stdout.includes("[INFO]"));
    second.signal("SIGSTOP");
    await flood(server);
    await endsInTime(server);
  });

  scenario(`F3 on ${runtime}: the log is changed by a reload while nobody reads it`, async (s) => {
    const path = `${s.folder}/stdout`;
    const reader = await pipe(s, path);
    const server = await s.server({
      maxConnections: CONNECTIONS,
      command: ["sh", "-c", `exec "$0" "$@" >${path}`, ...command],
    });
    reader.signal("SIGSTOP");
    await flood(server);
    const config = await Deno.readTextFile(server.configFile);
    await Deno.writeTextFile(server.configFile, `srs_log_level_v2 debug;\n${config}`);
    server.process.signal("SIGHUP");
    // The reload is through, or has given up waiting for the reader.
    await sleep(1500);
    reader.signal("SIGCONT");
    await tellsTheLoss(() => reader.stdout);
    server.process.signal("SIGHUP");
    await until("a reload that finds the first one done", LINES_LIMIT_MS, () => {
      return reader.stdout.includes("reload: nothing changed");
    });
    await endsInTime(server);
    await reader.finish(END_LIMIT_MS);
    assert.match(reader.stdout, /srs-edge terminated/);
  });

  scenario(`F4 on ${runtime}: each write to the log file takes seconds`, async (s) => {
    const path = `${s.folder}/srs.log`;
    const server = await s.server({
      vhost: VHOST,
      maxConnections: CONNECTIONS,
      global: `srs_log_tank file; srs_log_file ${path};`,
      command: [
        ..."strace -f -qq --seccomp-bpf -o /dev/null".split(" "),
        ...["-P", path, "-e", `trace=${WRITES}`, "-e", `inject=${WRITES}:delay_enter=3s`],
        // strace that is killed takes the server with it.
        ...["setpriv", "--pdeathsig", "KILL", ...command],
      ],
    });
    await servesOn(server);
    await until("lines on the disk", LINES_LIMIT_MS, () => {
      return Deno.readTextFileSync(path).includes("xxxx");
    });
  }, { ignore: noStrace });
}
