/**
 * The benchmarks: starts servers, loads them, prints what they cost and how much they delay.
 *
 *     deno task bench            seven minutes: srs-edge and nginx-rtmp, 1 to 3000 players
 *     deno task bench --help
 *
 * Candidates take turns, several short rounds each, so that what else happens on the machine meets all.
 * @module
 */
import os from "node:os";
import type { Candidate, Setting } from "./candidates.ts";
import { HELP, type Options, readOptions, type Scenario } from "./options.ts";
import { killAll } from "./processes.ts";
import { brief, type Row, table } from "./report.ts";
import { type Load, measure } from "./trial.ts";

/** Players of the scenarios that have one load only, at most. */
const MIDDLE_LOAD = 1000;

/** A row with what it takes to measure it. */
interface Plan {
  readonly row: Row;
  readonly candidate: Candidate;
  readonly setting: Setting;
}

/** Rows that are measured in turn, round by round. */
function plansOf(scenario: Scenario, options: Options): Plan[][] {
  const { candidates, directives } = options;
  const plan = (candidate: Candidate, windowMs: "realtime" | number, load: Load): Plan => ({
    candidate,
    setting: { windowMs, gopCache: scenario === "join", http: load.http, directives },
    row: {
      scenario,
      server: candidate.name,
      window: candidate.flushes === "own" ? "own" : String(windowMs),
      floor: candidate.floor,
      load,
      samples: [],
    },
  });
  const fanOut = (load: Load, windows: readonly ("realtime" | number)[]) =>
    windows.flatMap((window, index) =>
      candidates.filter(({ flushes }) => flushes === "as set" || index === 0)
        .filter(({ http }) => http || !load.http)
        .map((candidate) => plan(candidate, window, load))
    );
  const servers = candidates.filter((candidate) => !candidate.raw);
  const [first, ...others] = options.players.filter(({ players }) => players <= MIDDLE_LOAD);
  const largest = others.reduce((a, b) => b.players > a.players ? b : a, first);
  const middle: Load = {
    kind: "players",
    count: largest?.players ?? MIDDLE_LOAD,
    kbps: largest?.kbps ?? options.players[0].kbps,
    slow: 0,
    http: false,
    ws: false,
  };
  switch (scenario) {
    case "players":
    case "http":
    case "ws": {
      const [http, ws] = [scenario !== "players", scenario === "ws"];
      const loads = http ? options.httpPlayers : options.players;
      return loads.map(({ players, kbps }) =>
        fanOut({ kind: "players", count: players, kbps, slow: 0, http, ws }, options.windows)
      );
    }
    case "curve":
      return [fanOut(middle, options.curve)];
    case "slow":
      return [
        servers.flatMap((candidate) => [
          plan(candidate, "realtime", middle),
          plan(candidate, "realtime", { ...middle, slow: 1 }),
        ]),
      ];
    case "publishers":
      return options.publishers.map((count) =>
        servers.map((candidate) =>
          plan(candidate, "realtime", { ...middle, kind: "publishers", count })
        )
      );
    case "join":
      return [
        servers.map((candidate) =>
          plan(candidate, "realtime", { ...middle, kind: "join", count: options.joins })
        ),
      ];
  }
}

async function run(options: Options): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scenario of options.scenarios) {
    const groups = plansOf(scenario, options);
    if (groups.flat().length === 0) {
      console.error(`without ${scenario}: it is for none of these candidates`);
      continue;
    }
    for (const group of groups) {
      for (let round = 1; round <= options.rounds; round++) {
        for (const one of group) await measureOnce(one, round, options);
      }
    }
    const done = groups.flat().map(({ row }) => row);
    rows.push(...done);
    console.log(`\n${table(scenario, done)}\n`);
  }
  return rows;
}

async function measureOnce(plan: Plan, round: number, options: Options): Promise<void> {
  const { row, candidate, setting } = plan;
  const { load, scenario, server, window } = row;
  const slow = load.slow > 0 ? ` + ${load.slow} slow` : "";
  const label = `${scenario} ${round}/${options.rounds}: ${server} ${window}, ` +
    `${load.count} ${load.kind} at ${load.kbps} kbps${slow}`;
  try {
    const sample = await measure(candidate, setting, load, options);
    row.samples.push(sample);
    console.error(`${label}: ${brief(load, sample)}`);
  } catch (error) {
    console.error(`${label}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The candidates that are there; says why the others are not. */
async function available(candidates: readonly Candidate[]): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const candidate of candidates) {
    const reason = await candidate.prepare();
    if (reason === null) found.push(candidate);
    else console.error(`without ${candidate.name}: ${reason}`);
  }
  return found;
}

async function versionOf(...command: string[]): Promise<string> {
  try {
    const [program, ...args] = command;
    const { stdout, stderr } = await new Deno.Command(program, { args }).output();
    const text = new TextDecoder();
    return `${text.decode(stdout)}${text.decode(stderr)}`.trim().split("\n")[0];
  } catch {
    return "none";
  }
}

async function machine(): Promise<Record<string, string>> {
  const cpus = os.cpus();
  return {
    cpu: `${cpus.length} x ${cpus[0]?.model ?? "?"}`,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    deno: Deno.version.deno,
    bun: await versionOf("bun", "--version"),
    node: await versionOf("node", "--version"),
    nginx: await versionOf("nginx", "-v"),
  };
}

/** Returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  let options: Options | null;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const candidates = await available(options.candidates);
  if (candidates.length === 0) return 1;
  const about = await machine();
  console.log(Object.entries(about).map(([what, value]) => `${what}: ${value}`).join("; "));
  const rows = await run({ ...options, candidates });
  if (options.json) {
    const { rounds, seconds, warm, clients, directives } = options;
    const all = { machine: about, rounds, seconds, warm, clients, directives, rows };
    await Deno.writeTextFile(options.json, JSON.stringify(all, null, 1));
  }
  return rows.every((row) => row.samples.length > 0) ? 0 : 1;
}

if (import.meta.main) {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      killAll();
      Deno.exit(1);
    });
  }
  Deno.exit(await main(Deno.args));
}
