/**
 * Entry point: command line, configuration, server, signals, exit status.
 * @module
 */

import { writeFileSync } from "node:fs";
import { availableParallelism, networkInterfaces } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { Cluster } from "./cluster.ts";
import { COMMIT } from "./commit.ts";
import { helpText, type Invocation, parseCommandLine, UsageError } from "./cli.ts";
import { ConfigError } from "./config/diagnostic.ts";
import type { Loaded } from "./config/load.ts";
import { formatSummary } from "./config/summary.ts";
import type { ListenAddress } from "./config/types.ts";
import { EXAMPLES } from "./examples.ts";
import { install, InstallError, uninstall } from "./install/install.ts";
import { serverLog } from "./log/log.ts";
import { closeLog, openLog } from "./log/tank.ts";
import { fileShortage } from "./net/file_limit.ts";
import { formatAddress } from "./net/tcp.ts";
import { probeHelp } from "./probe/options.ts";
import { runProbe } from "./probe/probe.ts";
import { httpService } from "./http_service.ts";
import { Lifecycle } from "./lifecycle.ts";
import { ConfigSource } from "./reload.ts";
import { runtimeShortage } from "./runtime_version.ts";
import { Server } from "./server.ts";
import { ServiceManager } from "./service_manager.ts";
import { BUILD, SERVER_NAME, VERSION } from "./version.ts";

/** Exit status for a bad command line or configuration (SRS). */
const EXIT_CONFIG = 255;
/** Exit status when the server cannot start for another reason. */
const EXIT_START = 1;
/** The port that RTMP URLs need not name. */
const RTMP_PORT = 1935;
/** Left out of URLs. */
const HTTP_PORT = 80;

/** Prints one problem to stderr. */
function complain(text: string): void {
  console.error(`${SERVER_NAME}: ${text}`);
}

async function main(): Promise<number | null> {
  // A build has its commit in it, and the runtime that it was made with.
  const shortage = COMMIT === "" ? runtimeShortage(process.versions) : null;
  if (shortage) {
    complain(shortage);
    return EXIT_START;
  }
  let invocation: Invocation;
  try {
    invocation = parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return error.status;
  }
  switch (invocation.action) {
    case "help":
      console.log(`${SERVER_NAME}/${BUILD}`);
      console.log(helpText(`./${SERVER_NAME}`));
      return 0;
    case "version":
      console.log(VERSION);
      return 0;
    case "signature":
      console.log(`${SERVER_NAME}/${VERSION}`);
      return 0;
    case "probe":
      if (invocation.probe) return await runProbe(invocation.probe);
      console.log(probeHelp(`./${SERVER_NAME}`));
      return 0;
    case "print-config":
      return printConfig(invocation.name);
    case "install":
    case "uninstall":
      return installation(invocation.action, invocation.root);
    case "test":
      return testConfig(invocation.file);
    case "run":
      return await run(invocation.file);
  }
}

/** `--print-config`. */
function printConfig(name: string): number {
  const text = EXAMPLES.get(name);
  const names = [...EXAMPLES.keys()].join(" ");
  if (name === "") console.log(names);
  else if (text === undefined) complain(`no configuration "${name}" comes with it: ${names}`);
  else process.stdout.write(text);
  return name === "" || text !== undefined ? 0 : EXIT_CONFIG;
}

/** `install` and `uninstall`. */
function installation(action: "install" | "uninstall", root: string): number {
  const program = process.execPath;
  try {
    if (action === "install" && !basename(program).startsWith(SERVER_NAME)) {
      throw new InstallError(
        `install copies the executable that runs it, and this is ${program}: build one (deno task build)`,
      );
    }
    console.log(action === "install" ? install(root, program) : uninstall(root));
    return 0;
  } catch (error) {
    if (!(error instanceof InstallError)) throw error;
    complain(error.message);
    return EXIT_START;
  }
}

/** Loads the configuration; problems go to stderr. A number: it cannot be used, the exit status. */
function load(source: ConfigSource): Loaded | number {
  try {
    const loaded = source.load();
    for (const warning of loaded.warnings) console.error(`warning: ${warning.format()}`);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const warning of error.warnings) console.error(`warning: ${warning.format()}`);
    for (const problem of error.diagnostics) console.error(problem.format({ source: true }));
    return error.code % 256;
  }
}

/** `-t`. Scripts look at the exit status and at the last line, which are SRS's. */
function testConfig(file: string | null): number {
  const name = file ?? "(environment)";
  const loaded = load(new ConfigSource(file));
  const shortage = typeof loaded === "number" ? null : fileShortage(loaded.config.maxConnections);
  if (shortage) complain(shortage);
  if (typeof loaded === "number" || shortage) {
    serverLog.info(`config file ${name} test is failed`);
    return typeof loaded === "number" ? loaded : EXIT_CONFIG;
  }
  console.log(formatSummary(loaded));
  serverLog.info(`the config file ${name} syntax is ok`);
  serverLog.info(`config file ${name} test is successful`);
  return 0;
}

/** Starts the server; null when it runs. */
async function run(file: string | null): Promise<number | null> {
  const source = new ConfigSource(file);
  const loaded = load(source);
  if (typeof loaded === "number") return loaded;
  const { config } = loaded;
  const shortage = fileShortage(config.maxConnections);
  if (shortage) {
    complain(shortage);
    return EXIT_CONFIG;
  }
  const lifecycle = new Lifecycle(source, loaded);
  let server: Server | Cluster;
  let manager: ServiceManager;
  try {
    if (config.workDir) changeDirectory(config.workDir);
    await openLog(config.log);
    serverLog.info(`${SERVER_NAME}/${BUILD}, ${runtimeName()}, config ${file ?? "environment"}`);
    if (config.daemonRequested) {
      serverLog.warn(
        "daemon on: srs-edge stays in the foreground, let systemd or nohup do the rest",
      );
    }
    manager = await ServiceManager.find(process.env);
    const workers = config.workers === "auto" ? availableParallelism() : config.workers;
    server = workers === 1
      ? await Server.start(config, httpService(lifecycle))
      : await Cluster.start(config, workers, lifecycle);
    if (config.pid) writePidFile(config.pid);
  } catch (error) {
    await closeLog();
    complain(error instanceof Error ? error.message : String(error));
    return EXIT_START;
  }
  lifecycle.begin(server, manager);
  manager.ready(process.env);
  // The log is written at the end of the turn; this belongs below it.
  setTimeout(() => console.log(welcome(server)), 0);
  return null;
}

function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  return deno ? `deno ${deno}` : bun ? `bun ${bun}` : `node ${node}`;
}

function changeDirectory(path: string): void {
  try {
    process.chdir(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot change to work_dir ${path}: ${reason}. Make the directory, or drop it`);
  }
}

function writePidFile(path: string): void {
  try {
    writeFileSync(path, `${process.pid}`);
    serverLog.info(`write pid=${process.pid} to ${path} success!`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot write the pid file ${path}: ${reason}. Change or drop "pid"`);
  }
}

/** What it listens on, and the lines to try it with. */
function welcome(server: Server | Cluster): string {
  const [first] = server.rtmpAddresses;
  const http = server.httpAddress;
  const url = `rtmp://${reachable(first, RTMP_PORT)}/live/livestream`;
  return [
    "",
    `  RTMP   ${server.rtmpAddresses.map(formatAddress).join("  ")}`,
    `  page   ${http ? `http://${reachable(http, HTTP_PORT)}/` : "off"}`,
    "",
    `  push   ffmpeg -re -stream_loop -1 -i source.flv -c copy -f flv ${url}`,
    `  watch  ffplay -fflags nobuffer -flags low_delay ${url}`,
    "",
  ].join("\n");
}

/** The address as others would write it in a URL whose scheme has the port `usual`. */
function reachable({ host, port }: ListenAddress, usual: number): string {
  const everywhere = host === "0.0.0.0" || host === "::";
  const shown = everywhere ? firstPublicAddress() : host;
  const bracketed = shown.includes(":") ? `[${shown}]` : shown;
  return port === usual ? bracketed : `${bracketed}:${port}`;
}

function firstPublicAddress(): string {
  try {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return all.find((each) => !each.internal && each.family === "IPv4")?.address ?? "127.0.0.1";
  } catch {
    return "127.0.0.1";
  }
}

const status = await main();
if (status !== null) process.exit(status);
