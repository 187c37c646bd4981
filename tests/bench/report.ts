/**
 * What was measured, as tables.
 * @module
 */
import type { Scenario } from "./options.ts";
import type { Load, Sample } from "./trial.ts";

/** One line of a table: a server under a load, with all its measurements. */
export interface Row {
  readonly scenario: Scenario;
  readonly server: string;
  /** `realtime`, a window in ms, or `own`. */
  readonly window: string;
  /** Server of the row that has the floor for this one. */
  readonly floor: string | undefined;
  readonly load: Load;
  readonly samples: Sample[];
}

/** Share of a core from which a load client is suspected of having been the slow one. */
const CLIENT_BUSY = 0.8;

type Column = readonly [title: string, cell: (row: Row, rows: readonly Row[]) => string];

const server: Column = ["server", (row) => row.server];
const window: Column = ["window", (row) => row.window];
const cpuEach: Column = ["CPU µs", (row) => fixed(median(row, (s) => s.cpuEach), 1)];
const system: Column = ["kernel %", (row) => percent(median(row, (s) => s.systemShare))];
const serverCpu: Column = ["ms/s", (row) => fixed(1000 * median(row, (s) => s.serverCores), 1)];
const publisherCpu: Column = ["publ. %", (row) => percent(median(row, (s) => s.publisherCores))];
const startMB: Column = ["MB", (row) => fixed(median(row, (s) => s.startMB), 0)];
const eachKB: Column = ["+KB each", (row) => fixed(median(row, (s) => s.eachKB), 1)];
const lost: Column = ["lost", (row) => String(sum(row, (s) => s.lost))];
const gone: Column = ["gone", (row) => String(sum(row, (s) => s.disconnects))];
const starved: Column = ["starved", (row) => String(sum(row, (s) => s.starved))];

const clientCpu: Column = ["client %", (row) => {
  const cores = median(row, (s) => s.clientCores);
  return percent(cores) + (cores > CLIENT_BUSY ? "!" : "");
}];

const delays: readonly Column[] = [
  ["p50", (row) => ms(median(row, (s) => s.delayP50))],
  ["p99", (row) => ms(median(row, (s) => s.delayP99))],
  ["max", (row) => ms(largest(row, (s) => s.delayMax))],
];

const timesFloor: Column = ["× floor", (row, rows) => {
  const floor = rows.find((other) =>
    other.server === row.floor && other.window === row.window && other.load === row.load
  );
  return floor ? fixed(median(row, (s) => s.cpuEach) / median(floor, (s) => s.cpuEach), 2) : "";
}];

/** nginx-rtmp's row of the same load, which flushes when it likes. */
const timesNginx: Column = ["× nginx", (row, rows) => {
  const nginx = rows.find((other) =>
    other.server === "nginx" && other.load.count === row.load.count &&
    other.load.kbps === row.load.kbps
  );
  return nginx ? fixed(median(row, (s) => s.cpuEach) / median(nginx, (s) => s.cpuEach), 2) : "";
}];

const fanOut: readonly Column[] = [
  server,
  window,
  ["players", (row) => String(row.load.count)],
  ["kbps", (row) => String(row.load.kbps)],
  ...delays,
  ["video p50", (row) => ms(median(row, (s) => s.videoP50))],
  ["p99", (row) => ms(median(row, (s) => s.videoP99))],
  cpuEach,
  timesNginx,
  timesFloor,
  system,
  serverCpu,
  clientCpu,
  publisherCpu,
  startMB,
  eachKB,
  lost,
  gone,
  starved,
];

const COLUMNS: Readonly<Record<Scenario, readonly Column[]>> = {
  players: fanOut,
  http: fanOut,
  ws: fanOut,
  curve: fanOut,
  slow: [
    server,
    ["players", (row) => String(row.load.count)],
    ["slow", (row) => String(row.load.slow)],
    ...delays,
    cpuEach,
    serverCpu,
    clientCpu,
    lost,
    gone,
    starved,
  ],
  publishers: [
    server,
    ["publishers", (row) => String(row.load.count)],
    cpuEach,
    timesNginx,
    system,
    serverCpu,
    publisherCpu,
    startMB,
    eachKB,
    ["late ms", (row) => fixed(largest(row, (s) => s.lateMs), 1)],
    gone,
  ],
  join: [
    server,
    ["joins", (row) => String(row.load.count)],
    ["p50", (row) => ms(median(row, (s) => s.joinP50))],
    ["p99", (row) => ms(median(row, (s) => s.joinP99))],
    ["max", (row) => ms(largest(row, (s) => s.joinMax))],
  ],
};

const TITLES: Readonly<Record<Scenario, string>> = {
  players: "Players. Delay in ms; CPU per player and second.",
  http: "HTTP-FLV players. Delay in ms; CPU per player and second.",
  ws: "WS-FLV players. Delay in ms; CPU per player and second.",
  curve: "Flush windows. Delay in ms; CPU per player and second.",
  slow: "One slow player. Delay of the others in ms; CPU per player and second.",
  publishers: "Publishers without players. CPU per publisher and second.",
  join: "From TCP connect to the first byte of media, gop_cache on, ms.",
};

/** The table of one scenario. */
export function table(scenario: Scenario, rows: readonly Row[]): string {
  const columns = COLUMNS[scenario];
  const cells = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, cell]) => cell(row, rows))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const lines = cells.map((line) =>
    line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
  );
  const busy = lines.some((line) => line.includes("!"))
    ? "\n! the load client was busy itself: its delays are in the figures. Try --clients 2"
    : "";
  return `${TITLES[scenario]}\n${lines.join("\n")}${busy}`;
}

/** One measurement in a line, for the progress. */
export function brief(load: Load, sample: Sample): string {
  const trouble = sample.reason ? `, ${sample.reason}` : "";
  if (load.kind === "join") return `p50 ${ms(sample.joinP50)} ms${trouble}`;
  const cpu = `${fixed(sample.cpuEach, 1)} µs each, server ${percent(sample.serverCores)} %`;
  if (load.kind === "publishers") return `${cpu}${trouble}`;
  return `p50 ${ms(sample.delayP50)} p99 ${ms(sample.delayP99)} ms, ${cpu}, client ` +
    `${percent(sample.clientCores)} %${trouble}`;
}

function median(row: Row, pick: (sample: Sample) => number): number {
  const values = row.samples.map(pick).filter(Number.isFinite).sort((a, b) => a - b);
  const middle = values.length / 2;
  if (values.length === 0) return NaN;
  if (!Number.isInteger(middle)) return values[Math.floor(middle)];
  return (values[middle - 1] + values[middle]) / 2;
}

function largest(row: Row, pick: (sample: Sample) => number): number {
  return Math.max(...row.samples.map(pick).filter(Number.isFinite));
}

function sum(row: Row, pick: (sample: Sample) => number): number {
  return row.samples.reduce((total, sample) => total + pick(sample), 0);
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}

function ms(value: number): string {
  return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

function percent(share: number): string {
  return fixed(share * 100, 0);
}
