/**
 * Reading the configuration again while the server runs: all of it takes effect, or nothing does.
 * @module
 */

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import process from "node:process";
import { changesBetween, inEffect } from "../config/file/changes.ts";
import { ConfigError } from "../config/grammar/diagnostic.ts";
import { loadConfig, type Loaded } from "../config/file/load.ts";
import type { Setting } from "../config/directives/section.ts";
import type { Config, LogConfig } from "../config/types.ts";
import type { ReloadReport } from "../servers/http/api/control.ts";
import { newReloadId } from "../log/ids.ts";
import { serverLog } from "../log/log.ts";
import { redactQuery } from "../log/text.ts";
import { openLog } from "../log/sink.ts";
import { fileShortage, shareFiles } from "../net/file_limit.ts";

/** SRS's numbers for how far a reload has come. */
const State = { INIT: 0, READING: 10, CHECKING: 20, APPLYING: 30, DONE: 90 } as const;

/** SRS's error number for whatever keeps a good file from being applied (ConfigInvalid). */
const NOT_APPLIED = 1023;

/** Where the configuration comes from: file and environment, in the directory of the start. */
export class ConfigSource {
  /** `work_dir` changes the directory after the first time. */
  readonly #directory = process.cwd();

  /** `file` null: the environment alone. */
  constructor(readonly file: string | null) {}

  /** For the start. @throws {ConfigError} */
  load(): Loaded {
    const read = (path: string) => readFileSync(resolve(this.#directory, path), "utf8");
    return loadConfig(this.file, read, process.env);
  }

  /**
   * The same for a server that runs, and does so on while a disk does not answer. Which files there are
   * stands in those that include them: each round reads what the one before asked for.
   * @throws {ConfigError}
   */
  async reload(): Promise<Loaded> {
    const texts = new Map<string, () => string>();
    while (true) {
      const missing = new Set<string>();
      const read = (path: string) => {
        const text = texts.get(path);
        if (text) return text();
        missing.add(path);
        throw new Error("not read yet");
      };
      try {
        return loadConfig(this.file, read, process.env);
      } catch (error) {
        if (missing.size === 0) throw error;
      }
      for (const path of missing) {
        texts.set(path, await textOf(resolve(this.#directory, path)));
      }
    }
  }
}

/** Gives the text of a file, or throws what reading it threw. */
async function textOf(path: string): Promise<() => string> {
  try {
    const text = await readFile(path, "utf8");
    return () => text;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** What a new configuration is for. */
export interface ReloadTarget {
  readonly config: Config;
  /** Connections that are open. */
  readonly clients: number;
  /** @throws Error with the cure; nothing has changed then. */
  reload(config: Config): Promise<void>;
}

/** Reloads, one after the other. */
export class Reloader {
  readonly #source: ConfigSource;
  readonly #target: ReloadTarget;
  #settings: readonly Setting[];
  #report: ReloadReport = { rid: "", state: State.INIT, err: 0, msg: "Success" };
  #running = false;
  #again = false;

  /** `loaded`: what the target was started with. */
  constructor(source: ConfigSource, loaded: Loaded, target: ReloadTarget) {
    this.#source = source;
    this.#settings = loaded.settings;
    this.#target = target;
  }

  /** How the last one went, or goes. */
  get report(): ReloadReport {
    return this.#report;
  }

  /** Reloads now; while that is being done, once more afterwards, however often it is asked for. */
  request(): void {
    if (this.#running) {
      this.#again = true;
      serverLog.info("reload: one is under way, another follows it");
    } else {
      void this.#run();
    }
  }

  async #run(): Promise<void> {
    this.#running = true;
    do {
      this.#again = false;
      this.#report = { rid: newReloadId(), state: State.READING, err: 0, msg: "Success" };
      await this.#reload();
    } while (this.#again);
    this.#running = false;
  }

  async #reload(): Promise<void> {
    try {
      const loaded = await this.#source.reload();
      for (const warning of loaded.warnings) serverLog.warn(`reload: ${warning.format()}`);
      this.#reached(State.CHECKING);
      await this.#apply(loaded);
      this.#reached(State.DONE);
      serverLog.info(`reload config success, state=${State.DONE}.`);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #apply({ config, settings }: Loaded): Promise<void> {
    const { config: old, clients } = this.#target;
    const changes = changesBetween(this.#settings, settings);
    // Files outside the configuration, such as certificates, may be others all the same.
    const next = keepStarted(old, config);
    const shortage = fileShortage(next, clients);
    if (shortage) throw new Error(shortage);
    this.#reached(State.APPLYING);
    const otherLog = !sameLog(old.log, next.log);
    if (otherLog) await openLog(next.log);
    try {
      await this.#target.reload(next);
    } catch (error) {
      if (otherLog) await openLog(old.log);
      throw error;
    }
    shareFiles(next, this.#target.clients);
    this.#settings = inEffect(this.#settings, settings);
    for (const { reload, text } of changes) {
      serverLog.info(redactQuery(`reload: ${VERBS[reload]} ${text}`));
    }
    if (changes.length === 0) serverLog.info("reload: nothing changed");
  }

  #reached(state: number): void {
    this.#report = { ...this.#report, state };
  }

  /** What is wrong with a file is told as by `-t`. */
  #failed(error: unknown): void {
    let err: number = NOT_APPLIED;
    let lines: string[];
    if (error instanceof ConfigError) {
      err = error.code;
      if (error.parsed) this.#reached(State.CHECKING);
      // Not the line itself, as `-t` shows it: it may have a password in it, and logs are kept.
      lines = error.diagnostics.map((one) => one.format());
    } else {
      lines = [error instanceof Error ? error.message : String(error)];
    }
    this.#report = { ...this.#report, err, msg: lines[0] };
    serverLog.error(`reload failed, state=${this.#report.state}, nothing changed`, err);
    for (const line of lines) serverLog.error(`reload: ${line}`, err);
  }
}

/** What the log says of a change, by what becomes of it. */
const VERBS = {
  applied: "applied",
  live: "applied to new connections:",
  restart: "needs a restart:",
  none: "without effect:",
} as const;

/** What was settled at the start stays. */
function keepStarted({ workers, pid, workDir, daemonRequested }: Config, next: Config): Config {
  return { ...next, workers, pid, workDir, daemonRequested };
}

function sameLog(a: LogConfig, b: LogConfig): boolean {
  return a.tank === b.tank && a.level === b.level && a.file === b.file && a.utc === b.utc;
}
