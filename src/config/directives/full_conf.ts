/**
 * `conf/full.conf`: the reference as a configuration file. Every directive that has an effect stands in
 * its block, with its default as the value and a comment above it. Made of the directive table, so that
 * it says what the parser does.
 * @module
 */
import { type Entry, entryOf } from "./directives.ts";
import { LARGEST } from "./kinds.ts";
import type { Block, Leaf, Reload, Status } from "./spec.ts";
import { CONFIG, ROOT } from "./root.ts";

/** Columns that a comment fills. */
const WIDTH = 100;

/** Columns of a directive's name, up to its value. */
const NAME_WIDTH = 24;

const INDENT = "    ";

/** The name of the vhost in the file: SRS's for clients that name none. */
const VHOST_NAME = "__defaultVhost__";

/**
 * How a directive without a default may be set, by its path. It stands in the file as a comment, but for
 * `listen`, without which no file is valid.
 */
export const SAMPLES: Readonly<Record<string, string>> = {
  "listen": "1935",
  "pid": "/run/srs-edge/srs-edge.pid",
  "work_dir": "/var/lib/srs-edge",
  "rtmp.listen": "1935",
  "http_api.auth.username": "admin",
  "http_api.auth.password": "CHANGE_ME",
  "http_server.trusted_origins": "https://player.example",
  "http_server.trusted_proxies": "127.0.0.1 ::1",
  "http_server.client_address_header": "x-forwarded-for",
  "exporter.label": "edge",
  "exporter.tag": "site-1",
  "vhost.play.secret": "THE_NEW_SECRET_IN_USE THE_OLD_SECRET_UNTIL_ITS_URLS_EXPIRE",
  "vhost.publish.secret": "THE_NEW_SECRET_IN_USE THE_OLD_SECRET_UNTIL_ITS_URLS_EXPIRE",
  "vhost.cluster.origin": "127.0.0.1:19350 127.0.0.1:19351",
  "vhost.forward.destination": "127.0.0.1:19350",
  "vhost.forward.backend": "http://127.0.0.1:8085/api/v1/forward",
  "vhost.refer.all": "example.com",
  "vhost.refer.publish": "studio.example.com",
  "vhost.refer.play": "www.example.com",
  "vhost.security.allow": "publish 127.0.0.1",
  "vhost.security.deny": "play 203.0.113.0/24",
  "vhost.http_hooks.on_connect": "http://127.0.0.1:8085/api/v1/clients",
  "vhost.http_hooks.on_close": "http://127.0.0.1:8085/api/v1/clients",
  "vhost.http_hooks.on_publish": "http://127.0.0.1:8085/api/v1/streams",
  "vhost.http_hooks.on_unpublish": "http://127.0.0.1:8085/api/v1/streams",
  "vhost.http_hooks.on_play": "http://127.0.0.1:8085/api/v1/sessions",
  "vhost.http_hooks.on_stop": "http://127.0.0.1:8085/api/v1/sessions",
};

const HEADER = [
  "Every directive of srs-edge, with its default as the value. Made from the tables in src/config by " +
  "`deno task docs`: change them, not this file. `srs-edge -t -c FILE` tests a file and shows what is " +
  "in effect.",
  "Copy what you need into a file of your own: a directive that is left out has the value that stands " +
  "here. Three defaults depend on others. Without any directive about HTTP the API and HTTP-FLV are on, " +
  "for this machine only, at 127.0.0.1:1985. With min_latency on, mw_msgs is 0. The chunk_size of a " +
  "vhost is that of the root.",
  "A line that begins with # and a name, without a blank between them, is a directive without a " +
  "default; the value is an example.",
  'Reload, by SIGHUP or through the API. "At once": the server and its present clients and streams ' +
  'change. "For what comes next": new clients, publishers and requests have the new value, present ' +
  'ones keep the old one. "Needs a restart": the old value stays, and the log says so.',
];

const RELOAD: Readonly<Record<Reload, string>> = {
  applied: "at once",
  live: "for what comes next",
  restart: "needs a restart",
  none: "nothing changes",
};

const NO_EFFECT: Readonly<Record<Exclude<Status, "honoured">, string>> = {
  "not offered": "Known to SRS and not offered here; each gives one warning and is ignored:",
  "relic": "Without effect, here and in SRS:",
};

/** The text of `conf/full.conf`. */
export function formatFullConf(): string {
  const header = HEADER.flatMap((
    text,
    index,
  ) => [...index === 0 ? [] : ["#"], ...comment(text, "")]);
  return [...header, "", ...contents(CONFIG, "", false), ""].join("\n");
}

/** What stands in a block: values, then blocks, then the names without effect. */
function contents(block: Block, indent: string, off: boolean): string[] {
  const entries = Object.values(block.children).map(entryOf);
  const honoured = entries.filter(({ status }) => status === "honoured");
  const parts = [
    ...honoured.flatMap((entry) =>
      entry.spec.type === "leaf" ? [directive(entry, entry.spec, indent, off)] : []
    ),
    ...honoured.flatMap((entry) =>
      entry.spec.type === "block" ? [nested(entry, entry.spec, indent, off)] : []
    ),
    ...withoutEffect(entries, "not offered", indent),
    ...withoutEffect(entries, "relic", indent),
  ];
  return parts.flatMap((lines, index) => index === 0 ? lines : ["", ...lines]);
}

/** A directive and what there is to say about it. `off`: it is a comment whatever its default. */
function directive(entry: Entry, leaf: Leaf<unknown>, indent: string, off: boolean): string[] {
  const preset = defaultOf(leaf);
  const value = preset ?? SAMPLES[entry.path] ?? "";
  const asComment = off || preset === null && leaf !== ROOT.listen;
  const line = `${asComment ? "#" : ""}${entry.name.padEnd(NAME_WIDTH - 1)} ${value};`;
  return [...comment(leaf.about, indent), ...comment(facts(entry, leaf), indent), indent + line];
}

function nested({ name, spec }: Entry, block: Block, indent: string, off: boolean): string[] {
  // What `rtmp { }` holds stands at the root already, and would win over it.
  const asComment = off || spec === ROOT.rtmp;
  const mark = asComment ? "#" : "";
  const head = block.named ? `${name} ${VHOST_NAME} {` : `${name} {`;
  return [
    ...comment(block.about, indent),
    `${indent}${mark}${head}`,
    ...contents(block, indent + INDENT, asComment),
    `${indent}${mark}}`,
  ];
}

/** Default, values, reload and environment of a directive. */
function facts({ reload, variables }: Entry, leaf: Leaf<unknown>): string {
  const unit = leaf.unit === "" ? "" : ` ${leaf.unit}`;
  const preset = defaultOf(leaf);
  return [
    `Default: ${preset === null ? "none" : preset + unit}.`,
    `Values: ${valuesOf(leaf)}.`,
    ...leaf.repeats ? ["May be given several times."] : [],
    `Reload: ${RELOAD[reload]}.`,
    ...variables.length === 0 ? [] : [`Environment: ${variables.join(" or ")}.`],
  ].join(" ");
}

function valuesOf({ kind, range, unit }: Leaf<unknown>): string {
  if (!range) return kind.label;
  const bounds = range.max >= LARGEST ? `${range.min} or more` : `${range.min} to ${range.max}`;
  return unit === "" ? bounds : `${bounds} ${unit}`;
}

/** The default as it stands in a file; null when there is none. */
function defaultOf({ kind, default: value }: Leaf<unknown>): string | null {
  const none = value === null || value === "" || Array.isArray(value) && value.length === 0;
  return none ? null : kind.format(value);
}

function withoutEffect(
  entries: readonly Entry[],
  status: Exclude<Status, "honoured">,
  indent: string,
): string[][] {
  const names = entries.filter((entry) => entry.status === status).map(({ name }) => name);
  return names.length === 0 ? [] : [comment([NO_EFFECT[status], ...names].join(" "), indent)];
}

/** A text as lines of comment, broken between words. */
function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
