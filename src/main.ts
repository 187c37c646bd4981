/**
 * Entry point: command line, configuration, server, signals, exit status.
 * @module
 */

import { availableParallelism } from "node:os";
import { basename, resolve } from "node:path";
import process from "node:process";
import { startCluster } from "./app/cluster.ts";
import type { Coordinator } from "./workers/coordinator.ts";
import { COMMIT } from "./runtime/commit.ts";
import { helpText, type Invocation, parseCommandLine, UsageError } from "./app/cli.ts";
import { disarmDebuggerSignal } from "./runtime/debugger_signal.ts";
import { ConfigError } from "./config/grammar/diagnostic.ts";
import type { Loaded } from "./config/file/load.ts";
import { formatSummary } from "./config/file/summary.ts";
import { EXAMPLES } from "./install/examples.ts";
import { install, InstallError, uninstall } from "./install/install.ts";
import { serverLog } from "./log/log.ts";
import { closeLog, logWritten, openLog, printText } from "./log/sink.ts";
import { faults } from "./runtime/fault_guard.ts";
import { fileShortage, shareFiles } from "./net/file_limit.ts";
import { probeHelp } from "./probe/options.ts";
import { runProbe } from "./probe/probe.ts";
import { httpService } from "./app/http_service.ts";
import { Lifecycle } from "./app/lifecycle.ts";
import { checkPidFile, writePidFile } from "./app/pid_file.ts";
import { runningProcesses } from "./runtime/processes.ts";
import { ConfigSource } from "./app/reload.ts";
import { runtimeShortage } from "./runtime/runtime_version.ts";
import { Server } from "./app/server.ts";
import { ServiceManager } from "./app/service.ts";
import { SignError, type SignOptions, signUrl } from "./app/sign.ts";
import { ownSurroundings, surroundingWarnings } from "./app/surroundings.ts";
import { BUILD, SERVER_NAME, VERSION } from "./runtime/version.ts";
import { publicAddress, welcome } from "./app/welcome.ts";

/** Exit status for a bad command line or configuration (SRS). */
const EXIT_CONFIG = 255;
/** Exit status when the server cannot start for another reason. */
const EXIT_START = 1;

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
    case "sign":
      return sign(invocation.file, invocation.sign);
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

/** `sign`: nothing but the URL goes to stdout, for `"$(srs-edge sign ...)"`. */
function sign(file: string | null, options: SignOptions): number {
  try {
    console.log(signUrl(new ConfigSource(file).load().config, options, Date.now()));
    return 0;
  } catch (error) {
    if (error instanceof SignError) complain(error.message);
    else if (error instanceof ConfigError) complain(error.message.split("\n")[0]);
    else throw error;
    return EXIT_CONFIG;
  }
}

/** `-t`. Scripts look at the exit status and at the last line, which are SRS's. */
function testConfig(file: string | null): number {
  const name = file ?? "(environment)";
  const loaded = load(new ConfigSource(file));
  const shortage = typeof loaded === "number" ? null : fileShortage(loaded.config);
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
  const usr1 = await disarmDebuggerSignal();
  const source = new ConfigSource(file);
  const loaded = load(source);
  if (typeof loaded === "number") return loaded;
  const { config } = loaded;
  const shortage = fileShortage(config);
  if (shortage) {
    complain(shortage);
    return EXIT_CONFIG;
  }
  shareFiles(config);
  // Before work_dir changes what a relative path means.
  const signWords = signCommand(file === null ? null : resolve(file));
  const publicHost = publicAddress();
  const lifecycle = new Lifecycle(source, loaded);
  let server: Server | Coordinator;
  let manager: ServiceManager;
  try {
    if (config.workDir) changeDirectory(config.workDir);
    await openLog(config.log);
    lifecycle.takeSignals(usr1);
    serverLog.info(`${SERVER_NAME}/${BUILD}, ${runtimeName()}, config ${file ?? "environment"}`);
    if (config.daemonRequested) {
      serverLog.warn(
        "daemon on: srs-edge stays in the foreground, let systemd or nohup do the rest",
      );
    }
    for (const warning of surroundingWarnings(ownSurroundings())) serverLog.warn(warning);
    // Before another server's ports are asked for.
    const processes = await runningProcesses();
    if (config.pid) checkPidFile(config.pid, processes);
    manager = await ServiceManager.find(process.env);
    const workers = config.workers === "auto" ? availableParallelism() : config.workers;
    server = workers === 1
      ? await Server.start(config, httpService(lifecycle))
      : await startCluster(config, workers, lifecycle);
    // From here on a signal ends the server in an orderly way, and removes the file.
    lifecycle.begin(server, manager);
    if (config.pid) {
      writePidFile(config.pid, processes);
      serverLog.info(`write pid=${process.pid} to ${config.pid} success!`);
    }
  } catch (error) {
    await closeLog();
    complain(error instanceof Error ? error.message : String(error));
    return EXIT_START;
  }
  faults.watchProcess();
  manager.ready(process.env);
  const { rtmpAddresses, httpAddress } = server;
  const running = { config, rtmpAddresses, httpAddress, signCommand: signWords, publicHost };
  // Below what the log has to say of the start.
  void logWritten().then(() => printText(welcome(running)));
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

/**
 * The words that run `sign` of this program with its configuration, wherever they are typed. `file` is
 * its absolute path; null: the environment alone.
 */
function signCommand(file: string | null): string[] {
  const { execPath, argv: [, script], versions } = process;
  const permissions = versions.deno ? ["run", "--allow-read", "--allow-env"] : [];
  const program = COMMIT === "" ? [execPath, ...permissions, resolve(script)] : [execPath];
  return [...program, "sign", ...file === null ? ["-e"] : ["-c", file]];
}

const status = await main();
if (status !== null) process.exit(status);
