/**
 * The server under test: a process of its own, started the way its user starts it.
 * @module
 */
import { Child, until } from "./process.ts";

/** ms until the RTMP port must accept; a cold start of the runtime compiles the program first. */
const READY_LIMIT_MS = 30_000;

const ROOT = new URL("../../", import.meta.url).pathname;

/** What `deno task start` says between "deno" and the program. */
function flagsOfStart(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  return /^deno (run .*) src\/main\.ts/.exec(tasks.start)?.[1].split(" ") ?? [];
}

/**
 * The command that starts the server, without its arguments. `SRS_EDGE_RUNTIME` chooses: `deno` (the
 * runtime of the tests, the default), `bun`, or `exe` (the executable at `SRS_EDGE_EXE`).
 */
export function serverCommand(runtime = Deno.env.get("SRS_EDGE_RUNTIME") || "deno"): string[] {
  if (runtime === "deno") return [Deno.execPath(), ...flagsOfStart(), "src/main.ts"];
  if (runtime === "bun") return ["bun", "src/main.ts"];
  if (runtime === "exe") {
    const executable = Deno.env.get("SRS_EDGE_EXE");
    if (!executable) throw new Error("SRS_EDGE_RUNTIME=exe needs SRS_EDGE_EXE=path/of/srs-edge");
    return [executable];
  }
  throw new Error(`SRS_EDGE_RUNTIME=${runtime}: say deno, bun or exe`);
}

/** The runtimes to try where they differ in what they make of HTTP: the one that is asked for, or both. */
export function runtimes(): string[] {
  const asked = Deno.env.get("SRS_EDGE_RUNTIME");
  return asked ? [asked] : ["deno", "bun"];
}

/** Runs the server with these arguments, in the repository's root. */
export function launch(
  label: string,
  args: readonly string[],
  command: readonly string[] = serverCommand(),
): Child {
  return new Child(label, [...command, ...args], { cwd: ROOT });
}

/** Below the range from which the kernel takes the ports of outgoing connections. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** Ports given out already, so that no two servers of a file get the same one. */
const taken = new Set<number>();

/** A loopback port on which nothing listens; random, because test files run side by side. */
export function freePort(): number {
  while (true) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (taken.has(port)) continue;
    taken.add(port);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Whether something accepts on a loopback port. */
export async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    // With several workers the port is tried before it is opened for good.
    if (error instanceof Deno.errors.ConnectionReset) return false;
    throw error;
  }
}

/** What a test wants of its server's configuration. */
export interface ServerOptions {
  /** What stands in the default vhost's block. */
  readonly vhost?: string;
  /** Whole vhost blocks, instead of the default vhost. */
  readonly vhosts?: string;
  /** The RTMP port; a free one unless given. */
  readonly port?: number;
  /** The most clients; 100 unless given. */
  readonly maxConnections?: number;
  /** Directives at the root. */
  readonly global?: string;
  /** The whole file; `PORT` stands for the RTMP port. Overrides the others. */
  readonly text?: string;
  /** The command that starts the server, instead of {@link serverCommand}'s. */
  readonly command?: readonly string[];
}

/** A running server. */
export class Server {
  constructor(
    readonly configFile: string,
    readonly port: number,
    readonly apiPort: number,
    readonly process: Child = launch("server", ["-c", configFile]),
  ) {}

  /** The RTMP address of a stream, such as `live/livestream`. */
  url(path: string): string {
    return `rtmp://127.0.0.1:${this.port}/${path}`;
  }

  /** Its log so far. */
  get log(): string {
    return this.process.stdout + this.process.stderr;
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.process.pid}/status`);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`no VmRSS for the server:\n${status}`);
    return Number(kilobytes) * 1024;
  }

  /** The body of an API answer, after a check that it is one. */
  async api(path: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.apiPort}${path}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

/** The text of a configuration file. `SRS_EDGE_WORKERS` adds a number of workers to each. */
export function configText(port: number, apiPort: number, options: ServerOptions): string {
  if (options.text !== undefined) return options.text.replaceAll("PORT", String(port));
  const vhosts = options.vhosts ?? `vhost __defaultVhost__ {\n${options.vhost ?? ""}\n}`;
  const workers = Deno.env.get("SRS_EDGE_WORKERS");
  return `listen 127.0.0.1:${port};
${workers && !/\bworkers\b/.test(options.global ?? "") ? `workers ${workers};` : ""}
max_connections ${options.maxConnections ?? 100};
http_api {
    enabled on;
    listen 127.0.0.1:${apiPort};
}
${options.global ?? ""}
${vhosts}
`;
}

/** Writes a configuration into `folder`, starts the server with it, and waits until it accepts. */
export async function startServer(
  folder: string,
  options: ServerOptions,
  started: (server: Server) => void,
): Promise<Server> {
  for (let tries = 1;; tries++) {
    const server = await tryServer(folder, options, started);
    if (server !== null) return server;
    if (tries === MAX_TRIES) throw new Error("the server ended while it started");
  }
}

/** Tries to find ports that no other test has taken in the meantime. */
const MAX_TRIES = 3;

/** Null: the server has ended, as its port is somebody else's by now. */
async function tryServer(
  folder: string,
  options: ServerOptions,
  started: (server: Server) => void,
): Promise<Server | null> {
  const port = options.port ?? freePort();
  const apiPort = freePort();
  const file = `${folder}/server-${port}.conf`;
  await Deno.writeTextFile(file, configText(port, apiPort, options));
  const server = new Server(file, port, apiPort, launch("server", ["-c", file], options.command));
  started(server);
  for (const [what, number] of [["RTMP", port], ["API", apiPort]] as const) {
    if (what === "API" && options.text !== undefined) continue;
    let taken = false;
    await until(`the server's ${what} port`, READY_LIMIT_MS, () => {
      if (server.process.exit === null) return accepts(number);
      taken = server.log.includes("port is in use");
      if (!taken) throw new Error("the server ended while it started");
      return true;
    });
    if (taken) return null;
  }
  // With several workers the port is tried first, by a listener that refuses everyone.
  const config = await Deno.readTextFile(file);
  if (/\bworkers [2-9]/.test(config) && !/srs_log_tank\s+file/.test(config)) {
    await until("the workers", READY_LIMIT_MS, () => server.log.includes("RTMP listen at"));
  }
  return server;
}
