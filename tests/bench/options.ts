/**
 * The command line of the benchmarks.
 * @module
 */
import { parseArgs } from "node:util";
import { type Candidate, givenServer, knownCandidates } from "./candidates.ts";

/** What can be measured. */
export const SCENARIOS = ["players", "http", "ws", "curve", "publishers", "join", "slow"] as const;
export type Scenario = typeof SCENARIOS[number];

/** Players of one load, and the bitrate of what they play. */
export interface PlayerLoad {
  readonly players: number;
  readonly kbps: number;
}

/** What a run does. */
export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly candidates: readonly Candidate[];
  readonly players: readonly PlayerLoad[];
  /** Loads of the scenarios `http` and `ws`. */
  readonly httpPlayers: readonly PlayerLoad[];
  /** Flush windows of the scenarios `players`, `http` and `ws`. */
  readonly windows: readonly ("realtime" | number)[];
  /** Flush windows of the scenario `curve`. */
  readonly curve: readonly number[];
  readonly publishers: readonly number[];
  readonly joins: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly warm: number;
  readonly clients: number;
  /** Further directives for the root of srs-edge's file. */
  readonly directives: string;
  /** File for the figures, or "". */
  readonly json: string;
}

/** kbps of the streams that are not said to be of another bitrate. */
const KBPS = 600;

const SHORT = {
  scenario: "players,curve,http,ws,publishers",
  candidates: "deno,bun,nginx",
  players: "1,20,100,300,1000,3000",
  httpPlayers: "20,300",
  windows: "realtime",
  curve: "100",
  publishers: "20,200",
  rounds: "1",
  seconds: "3",
  warm: "5",
};

const FULL = {
  scenario: SCENARIOS.join(),
  candidates: "deno,bun,exe,nginx,nms,floor-deno,floor-bun",
  players: "1,20,100,300,1000,3000,8000,100@6000",
  httpPlayers: "20,300,1000",
  windows: "realtime,100",
  curve: "0,20,40,100,350",
  publishers: "1,20,200,500",
  rounds: "3",
  seconds: "5",
  warm: "30",
};

export const HELP = `deno task bench [options]

  --scenario LIST     of ${SCENARIOS.join(", ")} (${SHORT.scenario})
  --candidates LIST   of deno, bun, exe (srs-edge), nginx, nms, floor-deno, floor-bun
                      (${SHORT.candidates})
  --server 'NAME=COMMAND;PORT'
                      one more server, which takes RTMP on that port of 127.0.0.1; may be repeated
  --exe PATH          the executable that "exe" is; else what SRS_EDGE_EXE says
  --players LIST      players, each as N or N@KBPS                    (${SHORT.players})
  --windows LIST      of realtime (the recipe's file) and windows in ms (${SHORT.windows})
  --http-players LIST players of "http" and "ws"                      (${SHORT.httpPlayers})
  --curve LIST        windows of the scenario "curve", ms             (${SHORT.curve})
  --publishers LIST   publishers of the scenario "publishers"         (${SHORT.publishers})
  --joins N           joins of the scenario "join"                    (100)
  --rounds N          measurements of each                            (${SHORT.rounds})
  --seconds N         seconds of each                                 (${SHORT.seconds})
  --warm N            seconds under load before any is counted        (${SHORT.warm})
  --clients N         processes that the players are spread over      (1)
  --directive TEXT    into the root of srs-edge's configuration, such as 'workers 2;'
  --full              all scenarios, all candidates, up to 8000 players; takes many hours
  --json FILE         all figures, every round of them
  --help

The players of "http" come by HTTP-FLV, those of "ws" by WS-FLV; only servers that have that are in
it: deno, bun, exe, nms.
"curve" and "slow" take the largest load of --players that is not above 1000 players.
`;

/** Reads the command line; null when it asks for help. @throws Error that says what is wrong. */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      scenario: { type: "string" },
      candidates: { type: "string" },
      server: { type: "string", multiple: true },
      exe: { type: "string" },
      players: { type: "string" },
      windows: { type: "string" },
      "http-players": { type: "string" },
      curve: { type: "string" },
      publishers: { type: "string" },
      joins: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      warm: { type: "string" },
      clients: { type: "string" },
      directive: { type: "string", multiple: true },
      full: { type: "boolean" },
      json: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return null;
  const preset = values.full ? FULL : SHORT;
  const known = knownCandidates(values.exe ?? Deno.env.get("SRS_EDGE_EXE") ?? "");
  const candidates = list(values.candidates ?? preset.candidates)
    .map((name) => oneOf("--candidates", name, known, (candidate) => candidate.name));
  return {
    scenarios: list(values.scenario ?? preset.scenario)
      .map((name) => oneOf("--scenario", name, SCENARIOS, (scenario) => scenario)),
    candidates: [...candidates, ...(values.server ?? []).map(givenServer)],
    players: list(values.players ?? preset.players).map(playerLoad),
    httpPlayers: list(values["http-players"] ?? preset.httpPlayers).map(playerLoad),
    windows: list(values.windows ?? preset.windows)
      .map((text) => text === "realtime" ? text : number("--windows", text, 0)),
    curve: list(values.curve ?? preset.curve).map((text) => number("--curve", text, 0)),
    publishers: list(values.publishers ?? preset.publishers)
      .map((text) => number("--publishers", text, 1)),
    joins: number("--joins", values.joins ?? "100", 1),
    rounds: number("--rounds", values.rounds ?? preset.rounds, 1),
    seconds: number("--seconds", values.seconds ?? preset.seconds, 1),
    warm: number("--warm", values.warm ?? preset.warm, 0),
    clients: number("--clients", values.clients ?? "1", 1),
    directives: (values.directive ?? []).join("\n"),
    json: values.json ?? "",
  };
}

function list(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function number(option: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`${option} ${text}: say a whole number from ${least}`);
}

function playerLoad(text: string): PlayerLoad {
  const [players, kbps = String(KBPS)] = text.split("@");
  return { players: number("--players", players, 1), kbps: number("--players", kbps, 100) };
}

function oneOf<T>(option: string, name: string, all: readonly T[], nameOf: (t: T) => string): T {
  const found = all.find((each) => nameOf(each) === name);
  if (found !== undefined) return found;
  throw new Error(`${option} ${name}: say ${all.map(nameOf).join(", ")}`);
}
