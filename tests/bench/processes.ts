/**
 * The processes of a measurement: the server, and the load clients.
 * @module
 */
import { sleep, until } from "../tools/process.ts";
import { accepts, freePort } from "../tools/server.ts";
import type { Candidate, Ports, Setting } from "./candidates.ts";
import type { ClientSpec, Ready, Result } from "./client.ts";
import { type Usage, usageOf } from "./usage.ts";

/** ms until a server must accept connections. */
const START_LIMIT_MS = 20_000;
/** ms that a server is left alone before its memory at the start is read. */
const START_SETTLE_MS = 500;
/** ms that a process gets to end before it is killed. */
const STOP_LIMIT_MS = 3_000;
/** Bytes of a server's output that are shown when it fails. */
const SHOWN_OUTPUT = 2_000;

/** As many open files as the machine allows, for a program and its output in a file. */
const RAISED = 'ulimit -n "$(ulimit -Hn)"; log=$1; shift; exec "$@" >"$log" 2>&1';

/** All that run now, and their folders, so that an interrupt leaves nothing behind. */
const running = new Set<Deno.ChildProcess>();
const folders = new Set<string>();

/** Kills whatever still runs, and removes its files. */
export function killAll(): void {
  for (const child of running) signal(child, "SIGKILL");
  for (const folder of folders) Deno.removeSync(folder, { recursive: true });
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch {
    // It has ended already.
  }
}

function track(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  running.add(child);
  return child.status.then((status) => {
    running.delete(child);
    return status;
  });
}

/** A server that is being measured. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;
  readonly #status: Promise<Deno.CommandStatus>;
  #hasEnded = false;

  private constructor(
    readonly ports: Ports,
    readonly folder: string,
    command: readonly string[],
    cwd: string,
  ) {
    this.#child = new Deno.Command("sh", {
      args: ["-c", RAISED, "sh", `${folder}/output.log`, ...command],
      cwd,
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.#status = track(this.#child);
    this.#status.then(() => this.#hasEnded = true);
  }

  /** Starts a candidate and waits until it accepts. @throws Error with its output when it does not. */
  static async start(candidate: Candidate, setting: Setting): Promise<ServerProcess> {
    const folder = await Deno.makeTempDir({ prefix: "srs-edge-bench-" });
    folders.add(folder);
    const ports = { rtmp: candidate.port ?? freePort(), api: freePort(), http: freePort() };
    const { command, cwd } = await candidate.launch(folder, ports, setting);
    const server = new ServerProcess(ports, folder, command, cwd);
    try {
      await until(`${candidate.name} to accept`, START_LIMIT_MS, async () => {
        if (server.#hasEnded) throw new Error(`${candidate.name} has ended`);
        return await accepts(ports.rtmp) && (!setting.http || await accepts(ports.http));
      });
      await sleep(START_SETTLE_MS);
      return server;
    } catch (error) {
      const output = await Deno.readTextFile(`${folder}/output.log`).catch(() => "");
      await server.stop();
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason}\n${output.slice(-SHOWN_OUTPUT)}`);
    }
  }

  /** What it has used so far. */
  usage(): Usage {
    return usageOf(this.#child.pid);
  }

  /** Ends it and removes its files. */
  async stop(): Promise<void> {
    await end(this.#child, this.#status);
    folders.delete(this.folder);
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function end(child: Deno.ChildProcess, status: Promise<unknown>): Promise<void> {
  signal(child, "SIGTERM");
  const timer = setTimeout(() => signal(child, "SIGKILL"), STOP_LIMIT_MS);
  await status;
  clearTimeout(timer);
}

/** A process of the load client. */
export class LoadProcess {
  readonly #child: Deno.ChildProcess;
  readonly #status: Promise<Deno.CommandStatus>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(spec: ClientSpec) {
    const program = new URL("client.ts", import.meta.url).pathname;
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n "$(ulimit -Hn)"; exec "$@"',
        "sh",
        Deno.execPath(),
        "run",
        "--allow-all",
        program,
        JSON.stringify(spec),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#status = track(this.#child);
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(lineSplitter()).getReader();
  }

  /** Waits until all its connections are there, or have failed. */
  async ready(): Promise<Ready> {
    return await this.#next<Ready>("ready");
  }

  /** Begins to count. */
  async begin(): Promise<void> {
    await this.#say("begin");
  }

  /** Ends counting, and says what was counted. */
  async end(): Promise<Result> {
    await this.#say("end");
    return await this.#next<Result>("result");
  }

  /** Waits for the result that comes by itself after all joins. */
  async joins(): Promise<Result> {
    return await this.#next<Result>("result");
  }

  /** What it has used so far. */
  usage(): Usage {
    return usageOf(this.#child.pid);
  }

  /** Ends it, and with it its connections. */
  async stop(): Promise<void> {
    await end(this.#child, this.#status);
  }

  async #say(command: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${command}\n`));
  }

  async #next<T extends { readonly event: string }>(event: T["event"]): Promise<T> {
    const { value } = await this.#lines.read();
    if (value === undefined) throw new Error("the load client has ended");
    const message: T = JSON.parse(value);
    if (message.event !== event) throw new Error(`the load client said ${value}, not ${event}`);
    return message;
  }
}

/** Turns pieces of text into lines. */
function lineSplitter(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(text, controller) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
  });
}
