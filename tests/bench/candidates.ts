/**
 * The servers that are compared, and how each is started.
 * @module
 */

import { serverCommand } from "../tools/server.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const BENCH = new URL("./", import.meta.url).pathname;

/** Connections that servers are told to allow: the largest number of players, and then some. */
const CONNECTIONS = 12_000;

/** The version of Node-Media-Server that is compared. */
const NMS_VERSION = "4.4.3";

/** Where Debian puts nginx's module. */
const NGINX_MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/** When a server is to flush. */
export interface Setting {
  /** `realtime`: the recipe's file; otherwise the window in ms, with `min_latency off`. */
  readonly windowMs: "realtime" | number;
  readonly gopCache: boolean;
  /** HTTP-FLV is to be had too. */
  readonly http: boolean;
  /** Further directives for the root of srs-edge's file. */
  readonly directives: string;
}

/** Loopback ports of a server; it opens those that it has a use for. */
export interface Ports {
  readonly rtmp: number;
  readonly api: number;
  /** HTTP-FLV. */
  readonly http: number;
}

/** One start of a server. */
export interface Launch {
  readonly command: readonly string[];
  readonly cwd: string;
}

/** A server to compare. */
export interface Candidate {
  readonly name: string;
  /** `own`: it flushes when it likes, whatever the setting. */
  readonly flushes: "as set" | "own";
  /** Passes on what comes in, without RTMP. */
  readonly raw: boolean;
  /** Can serve HTTP-FLV. */
  readonly http: boolean;
  /** The floor that it stands on, by name. */
  readonly floor?: string;
  /** An RTMP port that it must have; otherwise it gets a free one. */
  readonly port?: number;
  /** Gets it ready. Returns why that is not possible, or null. */
  prepare(): Promise<string | null>;
  /** How to start it; it may write files into `folder`. */
  launch(folder: string, ports: Ports, setting: Setting): Promise<Launch>;
}

/** The candidates that are known by name. `executable` is the path of a compiled srs-edge, or "". */
export function knownCandidates(executable: string): Candidate[] {
  const edges = [
    edge("deno", "floor-deno", serverCommand("deno")),
    edge("bun", "floor-bun", serverCommand("bun")),
    edge("exe", "floor-deno", [executable]),
  ];
  const floors = [
    floor("floor-deno", [Deno.execPath(), "run", "--allow-net"]),
    floor("floor-bun", ["bun"]),
  ];
  return [...edges, nginx, nodeMediaServer, ...floors];
}

function edge(name: string, floor: string, program: readonly string[]): Candidate {
  return {
    name,
    flushes: "as set",
    raw: false,
    http: true,
    floor,
    prepare: async () => {
      if (program[0] === "") return "give its path: --exe PATH";
      return await missing(program[0]);
    },
    launch: async (folder, ports, setting) => {
      const file = `${folder}/srs-edge.conf`;
      await Deno.writeTextFile(file, await edgeConfig(folder, ports, setting));
      return { command: [...program, "-c", file], cwd: ROOT };
    },
  };
}

/** The recipe's file with another port, room for the players, and what the setting says. */
async function edgeConfig(folder: string, ports: Ports, setting: Setting): Promise<string> {
  let text = await Deno.readTextFile(`${ROOT}conf/realtime.conf`);
  const replace = (directive: string, value: string) => {
    const line = new RegExp(`^(\\s*${directive}\\s+)[^;]+;`, "m");
    if (!line.test(text)) throw new Error(`conf/realtime.conf has no ${directive} any more`);
    text = text.replace(line, `$1${value};`);
  };
  replace("listen", `127.0.0.1:${ports.rtmp}`);
  replace("max_connections", String(CONNECTIONS));
  if (setting.gopCache) replace("gop_cache", "on");
  if (setting.windowMs !== "realtime") {
    replace("min_latency", "off");
    replace("mw_latency", String(setting.windowMs));
  }
  const endpoint = (name: string, port: number, more = "") =>
    `${name} {\n    enabled on;\n    listen 127.0.0.1:${port};\n${more}}\n`;
  text += endpoint("http_api", ports.api);
  if (setting.http) {
    text = text.replace(/^vhost .*\{$/m, "$&\n    http_remux {\n        enabled on;\n    }");
    text += endpoint("http_server", ports.http, `    dir ${folder};\n`);
  }
  return `${text}${setting.directives}\n`;
}

function floor(name: string, program: readonly string[]): Candidate {
  return {
    name,
    flushes: "as set",
    raw: true,
    http: false,
    prepare: () => missing(program[0]),
    launch: (_folder, { rtmp }, { windowMs }) => {
      const window = windowMs === "realtime" ? 0 : windowMs;
      return Promise.resolve({
        command: [...program, `${BENCH}floor.ts`, String(rtmp), String(window)],
        cwd: BENCH,
      });
    },
  };
}

const nginx: Candidate = {
  name: "nginx",
  flushes: "own",
  raw: false,
  http: false,
  prepare: async () => {
    try {
      await Deno.stat(NGINX_MODULE);
    } catch {
      return "install it: apt-get install nginx libnginx-mod-rtmp";
    }
    return await missing("nginx");
  },
  launch: async (folder, { rtmp }) => {
    const file = `${folder}/nginx.conf`;
    await Deno.writeTextFile(
      file,
      `load_module ${NGINX_MODULE};
${Deno.uid() === 0 ? "user root;" : ""}
worker_processes 1;
worker_rlimit_nofile ${CONNECTIONS + 100};
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log error;
events {
    worker_connections ${CONNECTIONS};
}
rtmp {
    access_log off;
    server {
        listen 127.0.0.1:${rtmp};
        application live {
            live on;
        }
    }
}
`,
    );
    return { command: ["nginx", "-p", folder, "-c", file], cwd: folder };
  },
};

const nodeMediaServer: Candidate = {
  name: "nms",
  flushes: "own",
  raw: false,
  http: true,
  prepare: async () => {
    const lacking = await missing("node") ?? await missing("npm");
    if (lacking) return lacking;
    const folder = nmsFolder();
    try {
      await Deno.stat(`${folder}/node_modules/node-media-server/package.json`);
      return null;
    } catch {
      await Deno.mkdir(folder, { recursive: true });
    }
    await Deno.writeTextFile(`${folder}/package.json`, `{ "private": true }`);
    const { success, stderr } = await new Deno.Command("npm", {
      args: ["install", "--no-audit", "--no-fund", `node-media-server@${NMS_VERSION}`],
      cwd: folder,
    }).output();
    return success ? null : new TextDecoder().decode(stderr).trim();
  },
  launch: async (folder, { rtmp, http }, setting) => {
    const program = `const NodeMediaServer = require("node-media-server");
new NodeMediaServer({
  bind: "127.0.0.1",
  rtmp: { port: ${rtmp} },${setting.http ? `\n  http: { port: ${http} },` : ""}
  auth: { play: false, publish: false },
  record: {},
}).run();
`;
    await Deno.writeTextFile(`${folder}/nms.cjs`, program);
    await Deno.symlink(`${nmsFolder()}/node_modules`, `${folder}/node_modules`);
    return { command: ["node", `${folder}/nms.cjs`], cwd: folder };
  },
};

/** Installed once, outside the repository. */
function nmsFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${cache}/srs-edge-bench/nms-${NMS_VERSION}`;
}

/** A server given as `name=command;port`. It must take RTMP for `live/...` on that loopback port. */
export function givenServer(text: string): Candidate {
  const parts = /^([^=]+)=(.+);(\d+)$/s.exec(text);
  if (!parts) throw new Error(`--server ${text}: write it as 'name=command;port'`);
  const [, name, command, port] = parts;
  return {
    name,
    flushes: "own",
    raw: false,
    http: false,
    port: Number(port),
    prepare: () => Promise.resolve(null),
    launch: () => Promise.resolve({ command: ["sh", "-c", `exec ${command}`], cwd: Deno.cwd() }),
  };
}

/** Why a program cannot be started, or null. */
async function missing(program: string): Promise<string | null> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'command -v "$1" >/dev/null', "sh", program],
  }).output();
  return success ? null : `there is no ${program}`;
}
