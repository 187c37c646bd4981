/**
 * The life of a started server: signals and the API have it reload, drain or stop.
 *
 *     running --SIGQUIT--> draining --the last client has gone--> stopping
 *     running --SIGTERM, SIGINT--------------------------------> stopping
 *     draining --any of the three------------------------------> stopping
 *
 * @module
 */

import { readFile, unlink } from "node:fs/promises";
import process from "node:process";
import type { Cluster } from "./cluster.ts";
import type { Loaded } from "./config/load.ts";
import type { DebuggerSignal } from "./debugger_signal.ts";
import { drain } from "./drain.ts";
import type { ReloadReport, ServerControl } from "./http/control.ts";
import { serverLog } from "./log/log.ts";
import { closeLog, reopenLog } from "./log/tank.ts";
import { type ConfigSource, Reloader } from "./reload.ts";
import type { Server } from "./server.ts";
import type { ServiceManager } from "./service_manager.ts";

/** ms after which the process ends although something of it has not: twice what a stop may take. */
const STOP_LIMIT_MS = 2500;

const DEBUGGER_WARNING =
  "SIGUSR1 opens this runtime's debugger on 127.0.0.1:9229, without a password: " +
  "send SIGUSR2 to reopen the log. To switch it off, run the executable, or give Deno --allow-ffi";

/** What a reload is called before there has been one. */
const NO_RELOAD: ReloadReport = { rid: "", state: 0, err: 0, msg: "Success" };

/** Made before the server, which shows it to the API; `begin` gives it the server. */
export class Lifecycle implements ServerControl {
  readonly #source: ConfigSource;
  readonly #loaded: Loaded;
  #server: Server | Cluster | null = null;
  #manager: ServiceManager | null = null;
  #reloader: Reloader | null = null;
  #state: "running" | "draining" | "stopping" = "running";

  /** `loaded`: what the server is started with, `source`: where it came from. */
  constructor(source: ConfigSource, loaded: Loaded) {
    this.#source = source;
    this.#loaded = loaded;
  }

  /**
   * The server has started: from now on signals count. `manager` is told when it begins to end. `usr1`: what
   * became of the runtime's SIGUSR1.
   */
  begin(server: Server | Cluster, manager: ServiceManager, usr1: DebuggerSignal): void {
    this.#server = server;
    this.#manager = manager;
    this.#reloader = new Reloader(this.#source, this.#loaded, server);
    process.on("SIGHUP", () => this.reload());
    process.on("SIGUSR2", () => reopenLog());
    // SRS's signal for it, unless the runtime has a debugger behind it.
    if (usr1 === "free") process.on("SIGUSR1", () => reopenLog());
    if (usr1 === "taken") serverLog.warn(DEBUGGER_WARNING);
    process.on("SIGQUIT", () => this.#end("SIGQUIT", true));
    process.on("SIGTERM", () => this.#end("SIGTERM", server.config.grace.onTerm));
    process.on("SIGINT", () => this.#end("SIGINT", false));
  }

  // ---- ServerControl

  get draining(): boolean {
    return this.#state !== "running";
  }

  get reloadReport(): ReloadReport {
    return this.#reloader?.report ?? NO_RELOAD;
  }

  reload(): void {
    if (this.draining) return serverLog.warn("reload: refused, the server is about to end");
    this.#reloader?.request();
  }

  drain(tcUrl: string | null): void {
    if (this.#state === "running") void this.#drain(tcUrl, "POST /api/v1/drain");
  }

  // ---- inside

  /** `gently`: the first time, clients may stay. */
  #end(signal: string, gently: boolean): void {
    if (this.#state === "stopping") process.exit(1);
    if (gently && this.#state === "running") {
      void this.#drain(null, signal);
    } else {
      serverLog.info(`${signal}, user terminate program, fast quit`);
      void this.#stop();
    }
  }

  async #drain(tcUrl: string | null, cause: string): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#state = "draining";
    this.#manager?.draining();
    serverLog.info(`${cause}, user terminate program, graceful quit`);
    await drain(server, server.config.grace, tcUrl, () => this.#state === "stopping");
    if (this.#state === "draining") await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#state = "stopping";
    this.#manager?.stopping();
    // Whatever hangs: whoever restarts the server waits for its end.
    setTimeout(() => process.exit(0), STOP_LIMIT_MS);
    try {
      await this.#server?.stop();
    } catch (error) {
      serverLog.error("internal fault while the server stopped", undefined, error);
    }
    await removePidFile(this.#loaded.config.pid);
    serverLog.info("srs-edge terminated");
    await closeLog();
    process.exit(0);
  }
}

/** Unless a server that has taken over has written its own there. */
async function removePidFile(path: string | null): Promise<void> {
  if (path === null) return;
  try {
    if (await readFile(path, "utf8") === String(process.pid)) await unlink(path);
  } catch {
    // Somebody has removed it already.
  }
}
