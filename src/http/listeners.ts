/**
 * The HTTP ports of a server: what the configuration wants where, one app for each address.
 * @module
 */

import { readFileSync } from "node:fs";
import type { Config, HttpsConfig, ListenAddress } from "../config/types.ts";
import { serverLog } from "../log/log.ts";
import {
  type FetchHandler,
  type HttpListener,
  listenHttp,
  type TlsFiles,
} from "../net/http_listener.ts";
import { formatAddress } from "../net/tcp.ts";
import { createApp, type Mount, type Role } from "./app.ts";
import type { Listening, ServerView } from "./view.ts";

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

/** Where a server of this configuration listens; the exporter's own port is nobody's business. */
function listening(config: Config): Listening {
  const web = endpointsOf(config).filter(({ roles }) => roles.has("api") || roles.has("server"));
  const of = (wanted: boolean) => {
    return web.filter(({ https }) => (https !== null) === wanted)
      .map(({ address }) => formatAddress(address));
  };
  return { rtmp: config.listen.map(formatAddress), http: of(false), https: of(true) };
}

/** The open HTTP ports. */
export class HttpListeners {
  readonly #open: { readonly endpoint: Endpoint; readonly listener: HttpListener }[] = [];

  /**
   * Opens all that the configuration asks for.
   * @throws Error with address or file, and the cure; nothing is left open then.
   */
  static async open(
    config: Config,
    view: ServerView,
    mounts: readonly Mount[] = [],
  ): Promise<HttpListeners> {
    const listeners = new HttpListeners();
    try {
      for (const endpoint of endpointsOf(config)) {
        await listeners.#listen(endpoint, config, view, mounts);
      }
    } catch (error) {
      await listeners.close();
      throw error;
    }
    return listeners;
  }

  /** Where a role is served by plain HTTP; null if nowhere. */
  addressOf(role: Role): ListenAddress | null {
    const found = this.#open.find(({ endpoint }) => !endpoint.https && endpoint.roles.has(role));
    return found?.listener.address ?? null;
  }

  /** Drops every connection. */
  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(({ listener }) => listener.close()));
  }

  async #listen(
    endpoint: Endpoint,
    config: Config,
    view: ServerView,
    mounts: readonly Mount[],
  ): Promise<void> {
    const { address, https, roles } = endpoint;
    const { httpApi, httpServer, exporter } = config;
    const app = createApp(view, {
      roles,
      listen: formatAddress(address),
      listening: listening(config),
      crossdomain: httpServer.crossdomain,
      auth: httpApi.auth,
      metrics: exporter.listen && exporter,
      dir: httpServer.dir,
      mounts,
    });
    const names = [...roles].map((role) => ROLE_NAMES[role]).join(", ");
    try {
      const listener = await listen(address, https, (request, peer) => {
        return app.fetch(request, { peer });
      });
      this.#open.push({ endpoint, listener });
      const { address: real } = listener;
      serverLog.info(`${names} listen at ${https ? "https" : "tcp"}://${formatAddress(real)}`);
    } catch (error) {
      // A second server on the same machine must not fail for an API that nobody asked for.
      if (httpApi.asked || roles.size > 1 || !roles.has("api")) throw error;
      serverLog.warn(`no HTTP API: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** `listenHttp`, whose errors are about the files too if there are any. */
async function listen(
  address: ListenAddress,
  https: HttpsConfig | null,
  handler: FetchHandler,
): Promise<HttpListener> {
  if (!https) return await listenHttp(address, handler);
  const tls = readTls(https);
  try {
    return await listenHttp(address, handler, tls);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason} (https with key ${https.key} and cert ${https.cert})`);
  }
}

function readTls({ key, cert }: HttpsConfig): TlsFiles {
  return { key: readPem("key", key), cert: readPem("cert", cert) };
}

function readPem(what: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`https: cannot read ${what} ${path}: ${reason}. Correct the path in https { }`);
  }
  if (/^-----BEGIN [A-Z ]+-----/m.test(text)) return text;
  throw new Error(`https: ${what} ${path} is not in PEM form, which begins with -----BEGIN`);
}
