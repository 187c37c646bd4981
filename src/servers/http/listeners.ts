/**
 * The HTTP ports of a server: what the configuration wants where, one app for each address.
 * @module
 */

import { DRAIN_CHECK_MS, TAKEN_POLL_MS } from "./request/limits.ts";
import type { Hono } from "hono";
import type { Config, HttpsConfig, ListenAddress } from "../../config/types.ts";
import { serverLog } from "../../log/log.ts";
import { type FetchHandler, type HttpListener, listenHttp } from "../../net/http_listener.ts";
import type { TlsFiles } from "../../net/tls.ts";
import type { OpenPort, WantedPort } from "../../net/port_set.ts";
import { formatAddress } from "../../net/tcp.ts";
import { SERVER_NAME } from "../../runtime/version.ts";
import type { HttpEnv } from "./request/answer.ts";
import { createApp, DRAINING, type Mount, type Role } from "./app.ts";
import { readTlsFiles, refusedTlsProblem } from "./tls_files.ts";
import type { ServerControl } from "./api/control.ts";
import { isLoopbackAddress } from "./request/local_request.ts";
import { webPorts } from "./request/own_page.ts";
import type { Listening, ServerView } from "../../stats/view.ts";

/** What is to be listened on. */
export interface Endpoint {
  readonly address: ListenAddress;
  readonly https: HttpsConfig | null;
  readonly roles: ReadonlySet<Role>;
}

/** What the log calls a role (SRS). */
const ROLE_NAMES: Readonly<Record<Role, string>> = {
  api: "HTTP-API",
  server: "HTTP-Server",
  exporter: "Exporter-Server",
};

/** The endpoints of a configuration; what has the same address is one. */
export function endpointsOf({ httpApi, httpServer, exporter }: Config): Endpoint[] {
  const found = new Map<string, { endpoint: Endpoint; roles: Set<Role> }>();
  const add = (role: Role, address: ListenAddress | null, https: HttpsConfig | null = null) => {
    if (!address) return;
    const known = found.get(formatAddress(address));
    if (known) return void known.roles.add(role);
    const roles = new Set([role]);
    found.set(formatAddress(address), { endpoint: { address, https, roles }, roles });
  };
  add("api", httpApi.listen);
  add("server", httpServer.listen);
  add("exporter", exporter.listen);
  add("api", httpApi.https?.listen ?? null, httpApi.https);
  add("server", httpServer.https?.listen ?? null, httpServer.https);
  return [...found.values()].map(({ endpoint }) => endpoint);
}

/** Where a server of this configuration listens; the exporter's own port is left out. */
function listening(config: Config): Listening {
  const web = endpointsOf(config).filter(({ roles }) => roles.has("api") || roles.has("server"));
  const of = (wanted: boolean) => {
    return web.filter(({ https }) => (https !== null) === wanted)
      .map(({ address }) => formatAddress(address));
  };
  return { rtmp: config.listen.map(formatAddress), http: of(false), https: of(true) };
}

/** One address, what serves it, and what answers there. */
interface Site {
  readonly endpoint: Endpoint;
  readonly key: string;
  readonly app: Hono<HttpEnv>;
}

/**
 * The HTTP side of the ports: says which ones a configuration wants, and what answers there. A port that
 * stays answers as the configuration in use says.
 */
export class HttpPorts {
  readonly #view: ServerView;
  readonly #mounts: readonly Mount[];
  readonly #control: ServerControl | null;
  readonly #listeners = new Set<HttpListener>();
  readonly #waiting = new Set<() => void>();
  #sites = new Map<string, Site>();

  constructor(
    view: ServerView,
    mounts: readonly Mount[] = [],
    control: ServerControl | null = null,
  ) {
    this.#view = view;
    this.#mounts = mounts;
    this.#control = control;
  }

  /**
   * The ports that a configuration wants, and a function from whose call on they answer as it says.
   * @throws Error with file and cure when a key or certificate cannot be read.
   */
  async prepare(config: Config): Promise<{ readonly wanted: WantedPort[]; use(): void }> {
    const sites = await Promise.all(
      endpointsOf(config).map(async (endpoint): Promise<[WantedPort, Site]> => {
        const tls = endpoint.https && await readTlsFiles(endpoint.https);
        const address = formatAddress(endpoint.address);
        // Another certificate is another port: neither runtime changes that of an open one.
        const key = tls ? `https ${address} ${tls.cert} ${tls.key}` : `http ${address}`;
        const site = { endpoint, key, app: this.#app(endpoint, config) };
        const open = () => this.#open(site, tls, config);
        return [{ key, address: endpoint.address, open }, site];
      }),
    );
    return {
      wanted: sites.map(([wanted]) => wanted),
      use: () => {
        this.#sites = new Map(sites.map(([{ key }, site]) => [key, site]));
      },
    };
  }

  /** Key of the port where a role is served by plain HTTP; null if nowhere. */
  keyOf(role: Role): string | null {
    const sites = [...this.#sites.values()];
    return sites.find(({ endpoint }) => !endpoint.https && endpoint.roles.has(role))?.key ?? null;
  }

  /** Drops every connection. */
  async close(): Promise<void> {
    for (const giveUp of this.#waiting) giveUp();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  #app({ address, roles }: Endpoint, config: Config): Hono<HttpEnv> {
    const { httpApi, httpServer, exporter } = config;
    return createApp(this.#view, {
      roles,
      listen: formatAddress(address),
      listening: listening(config),
      crossdomain: httpServer.crossdomain,
      trustedOrigins: httpServer.trustedOrigins,
      jsonp: httpApi.jsonp,
      auth: httpApi.auth,
      rawApi: httpApi.rawApi,
      metrics: exporter.listen && exporter,
      dir: httpServer.dir,
      mounts: this.#mounts,
      control: this.#control,
      loopback: isLoopbackAddress(address.host),
      remoteCommands: httpApi.remoteCommands,
      proxies: httpServer,
      ports: webPorts(config),
    });
  }

  async #open(site: Site, tls: TlsFiles | null, { httpApi }: Config) {
    const { endpoint: { address, https, roles }, key } = site;
    const names = [...roles].map((role) => ROLE_NAMES[role]).join(", ");
    const open = async () => {
      const listener = await listen(address, https, tls, (request, peer) => {
        return (this.#sites.get(key) ?? site).app.fetch(request, { peer });
      });
      this.#listeners.add(listener);
      const where = `${https ? "https" : "tcp"}://${formatAddress(listener.address)}`;
      serverLog.info(`${names} listen at ${where}`);
      const release = () => {
        this.#listeners.delete(listener);
        listener.release();
        serverLog.info(`${names} listen no more at ${where}`);
      };
      return { address: listener.address, release };
    };
    try {
      return await open();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (await isDraining(address, https !== null)) {
        serverLog.warn(
          `${names}: the server that has ${formatAddress(address)} drains, and ` +
            "leaves it when its last client has gone",
        );
        return this.#openLater(address, open);
      }
      // A second server on the same machine must not fail for an API that the file does not ask for.
      if (httpApi.asked || roles.size > 1 || !roles.has("api")) throw error;
      serverLog.warn(`no HTTP API: ${reason}`);
      return null;
    }
  }

  /** A port that another server still has. */
  #openLater(address: ListenAddress, open: () => Promise<OpenPort>): OpenPort {
    let port: OpenPort | null = null;
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const giveUp = () => {
      over = true;
      clearTimeout(timer);
      this.#waiting.delete(giveUp);
    };
    const tryAgain = async () => {
      try {
        port = await open();
        this.#waiting.delete(giveUp);
        if (over) port.release();
      } catch {
        if (!over) timer = setTimeout(tryAgain, TAKEN_POLL_MS);
      }
    };
    this.#waiting.add(giveUp);
    timer = setTimeout(tryAgain, TAKEN_POLL_MS);
    return {
      address,
      release: () => {
        giveUp();
        port?.release();
      },
    };
  }
}

/** Whether another server of ours has an address, and is about to end. */
async function isDraining({ host, port }: ListenAddress, https: boolean): Promise<boolean> {
  if (https) return false;
  const own = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  try {
    const answer = await fetch(`http://${formatAddress({ host: own, port })}/healthz`, {
      signal: AbortSignal.timeout(DRAIN_CHECK_MS),
    });
    const text = await answer.text();
    const ours = answer.headers.get("Server")?.startsWith(`${SERVER_NAME}/`) === true;
    return ours && answer.status === 503 && text === DRAINING;
  } catch {
    return false;
  }
}

function httpFault(error: unknown): void {
  serverLog.error("internal fault, HTTP connection closed", undefined, error);
}

/** `listenHttp`, whose errors are about the files too if there are any. */
async function listen(
  address: ListenAddress,
  https: HttpsConfig | null,
  tls: TlsFiles | null,
  handler: FetchHandler,
): Promise<HttpListener> {
  if (!https || !tls) return await listenHttp(address, handler, null, httpFault);
  try {
    return await listenHttp(address, handler, tls, httpFault);
  } catch (error) {
    const problem = refusedTlsProblem(tls, https);
    if (problem) throw new Error(`cannot listen on ${formatAddress(address)}: ${problem}`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason} (https with key ${https.key} and cert ${https.cert})`);
  }
}
