/**
 * A server under attack: started like any other, with its limits chosen freely, its memory watched, and
 * its log read connection by connection.
 * @module
 */
import { Child, until } from "./process.ts";
import { accepts, freePort, serverCommand } from "./server.ts";

/** ms until both ports must accept. */
const READY_LIMIT_MS = 30_000;

/** ms that the API may take for an answer while the machine is busy. */
const API_LIMIT_MS = 20_000;

const ROOT = new URL("../../", import.meta.url).pathname;

/** What an attack needs of the configuration. */
export interface EdgeOptions {
  /** `max_connections`. */
  readonly maxConnections?: number;
  /** More directives at the root; `API_PORT` stands for the API's port. */
  readonly root?: string;
  /** What stands in the default vhost's block. */
  readonly vhost?: string;
  /** More directives of `http_api`. */
  readonly api?: string;
  /** Open files that the process may have, all in all. */
  readonly openFiles?: number;
}

/** What the log says about one connection. */
export interface ConnectionLog {
  readonly id: string;
  /** All its lines. */
  readonly lines: readonly string[];
  /** The line about its end at the server's wish, or null. */
  readonly disconnect: string | null;
}

/** A server process. */
export class Edge {
  readonly process: Child;
  readonly port = freePort();
  readonly apiPort = freePort();

  /** Starts a server with a configuration of its own in `folder`; `ready` waits for it. */
  constructor(folder: string, options: EdgeOptions = {}) {
    const file = `${folder}/edge-${this.port}.conf`;
    Deno.writeTextFileSync(file, this.#config(options));
    const command = [...serverCommand(), "-c", file];
    const { openFiles } = options;
    this.process = new Child(
      "server",
      openFiles === undefined
        ? command
        : ["sh", "-c", `ulimit -n ${openFiles} && exec "$@"`, "sh", ...command],
      { cwd: ROOT },
    );
  }

  #config(options: EdgeOptions): string {
    const { maxConnections = 1000, root = "", vhost = "min_latency on;", api = "" } = options;
    return `listen 127.0.0.1:${this.port};
max_connections ${maxConnections};
http_api { enabled on; listen 127.0.0.1:${this.apiPort}; ${api} }
${root.replaceAll("API_PORT", String(this.apiPort))}
vhost __defaultVhost__ { ${vhost} }
`;
  }

  /** Waits until it accepts. */
  async ready(): Promise<void> {
    for (const port of [this.port, this.apiPort]) {
      await until("the server's port", READY_LIMIT_MS, () => {
        if (this.process.exit !== null) {
          throw new Error(`the server ended while it started\n${this.process.report()}`);
        }
        return accepts(port);
      });
    }
  }

  /** Its log so far. */
  get log(): string {
    return this.process.stdout + this.process.stderr;
  }

  /** Resident memory, bytes. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.process.pid}/status`);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    if (kilobytes === undefined) throw new Error(`no VmRSS for the server:\n${status}`);
    return Number(kilobytes) * 1024;
  }

  /** What the log says about the connection from a local port; null while it says nothing. */
  connection(localPort: number): ConnectionLog | null {
    const { log } = this;
    const at = log.lastIndexOf(`RTMP client ip=127.0.0.1:${localPort}\n`);
    if (at < 0) return null;
    const start = log.lastIndexOf("\n", at) + 1;
    const id = /^\[[^\]]*\]\[[A-Z]+\]\[\d+\]\[([^\]]+)\]/.exec(log.slice(start, at))?.[1] ?? "";
    const lines = log.slice(start).split("\n").filter((line) => line.includes(`][${id}]`));
    return { id, lines, disconnect: lines.find((l) => l.includes("server disconnect:")) ?? null };
  }

  /** Lines about faults of the server's own; there must never be one. */
  get faults(): string[] {
    return this.log.split("\n").filter((line) =>
      /^\[[^\]]*\]\[ERROR\]/.test(line) || /panicked|Uncaught|error: /.test(line)
    );
  }

  /** A raw answer of the API. */
  async request(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.apiPort}${path}`, {
      ...init,
      signal: AbortSignal.timeout(API_LIMIT_MS),
    });
    return { status: response.status, text: await response.text() };
  }

  /** The API's list of clients or streams, complete. */
  async list(what: "clients" | "streams"): Promise<Record<string, unknown>[]> {
    const { text } = await this.request(`/api/v1/${what}/?count=100000`);
    return JSON.parse(text)[what];
  }

  /** Connections that the server counts, with or without a role. */
  async connections(): Promise<number> {
    const { text } = await this.request("/api/v1/summaries");
    return Number(JSON.parse(text).data.system.conn_srs);
  }
}
