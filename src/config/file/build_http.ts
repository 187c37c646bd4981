/**
 * Builds the HTTP endpoints from a checked tree: API, server, metrics, and HTTPS for the first two.
 * Endpoints with the same address share it. Addresses that conflict are refused.
 * @module
 */
import type { Place } from "../grammar/diagnostic.ts";
import { formatListen } from "../directives/kinds.ts";
import { EVERY_ADDRESS } from "../directives/listen.ts";
import type { Reading, Section } from "../directives/section.ts";
import type { Leaf } from "../directives/spec.ts";
import {
  API,
  API_HTTPS,
  AUTH,
  EXPORTER,
  HTTP_API,
  HTTP_SERVER,
  METRICS,
  RAW_API,
  SERVER,
  SERVER_HTTPS,
} from "../directives/http.ts";
import { ROOT } from "../directives/root.ts";
import type {
  AuthConfig,
  Config,
  HttpApiConfig,
  HttpsConfig,
  ListenAddress,
  RawApiConfig,
} from "../types.ts";

/** The API's address when the file has no `http_api`: this machine only. */
const PRIVATE_API: ListenAddress = { host: "127.0.0.1", port: 1985 };

/** An address that an endpoint needs. */
interface Wish {
  readonly name: string;
  readonly address: ListenAddress;
  /** The protocol there. Endpoints with the same protocol may share an address. */
  readonly speaks: string;
  readonly place: Place;
}

/**
 * Builds the HTTP part of the configuration. `rtmp` are addresses in use; `top` is the file's
 * beginning.
 */
export function buildHttp(
  root: Section,
  rtmp: readonly ListenAddress[],
  top: Place,
  reading: Reading,
): Pick<Config, "httpApi" | "httpServer" | "exporter"> {
  const listen = root.find(ROOT.listen) ?? top;
  const taken: Wish[] = rtmp.map((address) => {
    return { name: "listen", address, speaks: "rtmp", place: listen };
  });
  const server = root.enter(HTTP_SERVER);
  const place = server.find(SERVER.listen) ?? root.find(HTTP_SERVER) ?? top;
  const enabled = server.get(SERVER.enabled);
  const address = server.get(SERVER.listen);
  const https = buildHttps(server.enter(SERVER.https), SERVER_HTTPS);
  const httpServer = {
    listen: enabled && claim(taken, plain("http_server", address, place), reading) ? address : null,
    https: enabled ? claimHttps(taken, "http_server", https, place, reading) : null,
    dir: server.get(SERVER.dir),
    crossdomain: server.get(SERVER.crossdomain),
    trustedOrigins: server.get(SERVER.trusted_origins),
    trustedProxies: server.get(SERVER.trusted_proxies),
    clientAddressHeader: server.get(SERVER.client_address_header),
  };
  const exporter = buildExporter(root, taken, top, reading);
  // The default API comes last: it is turned off when its address conflicts with another.
  return { httpApi: buildHttpApi(root, taken, top, reading), httpServer, exporter };
}

/**
 * Builds the API's endpoint. Without `http_api` in the file it serves this machine; otherwise as in
 * SRS.
 */
function buildHttpApi(
  root: Section,
  taken: Wish[],
  top: Place,
  reading: Reading,
): HttpApiConfig {
  const api = root.enter(HTTP_API);
  const switched = api.find(API.enabled);
  const given = switched ?? api.find(API.listen) ?? root.find(HTTP_API);
  const asked = given !== null;
  const enabled = api.get(API.enabled, !asked);
  const listen = api.get(API.listen, asked ? API.listen.default : PRIVATE_API);
  const https = buildHttps(api.enter(API.https), API_HTTPS);
  const auth = buildAuth(api, given ?? top, reading);
  const rawApi = buildRawApi(api);
  const jsonp = buildJsonp(api, auth, reading);
  const remoteCommands = buildRemoteCommands(api, auth, given ?? top, reading);
  const rights = { auth, jsonp, remoteCommands, rawApi };
  if (given && !switched) {
    reading.report.warn(given, "http_api is off, as in SRS, because it does not say: enabled on;");
  }
  if (!enabled) return { listen: null, asked, https: null, ...rights };
  const place = api.find(API.listen) ?? root.find(HTTP_API) ?? given ?? top;
  const wish = plain("http_api", listen, place);
  if (!asked) {
    const other = conflict(taken, wish);
    if (!other) return { listen, asked, https: null, ...rights };
    reading.report.warn(other.place, `${quarrel(wish, other)}; the API is off`);
    return { listen: null, asked, https: null, ...rights };
  }
  return {
    listen: claim(taken, wish, reading) ? listen : null,
    asked,
    https: claimHttps(taken, "http_api", https, place, reading),
    ...rights,
  };
}

/**
 * JSONP is off with a password: a script cannot ask for one, and a browser would send one that it
 * knows.
 */
function buildJsonp(api: Section, auth: AuthConfig | null, { report }: Reading): boolean {
  const wanted = api.get(API.jsonp);
  const place = api.find(API.jsonp);
  if (wanted && auth && place) {
    report.warn(place, "http_api.jsonp has no effect beside http_api.auth: remove one of them");
  }
  return wanted && !auth;
}

/** Said at every start: what it opens cannot be seen from outside. */
function buildRemoteCommands(
  api: Section,
  auth: AuthConfig | null,
  block: Place,
  { report }: Reading,
): boolean {
  const wanted = api.get(API.remote_commands);
  if (wanted) {
    report.warn(
      api.find(API.remote_commands) ?? block,
      auth
        ? "http_api.remote_commands has no effect beside http_api.auth: remove it"
        : "http_api.remote_commands lets everybody who reaches the API disconnect clients, reload and " +
          "drain: add http_api { auth { } } instead",
    );
  }
  return wanted && !auth;
}

function buildRawApi(api: Section): RawApiConfig {
  const raw = api.enter(API.raw_api);
  return { enabled: raw.get(RAW_API.enabled), allowReload: raw.get(RAW_API.allow_reload) };
}

function buildAuth(api: Section, place: Place, { report }: Reading): AuthConfig | null {
  const auth = api.enter(API.auth);
  const enabled = auth.get(AUTH.enabled);
  const username = auth.get(AUTH.username);
  const password = auth.get(AUTH.password);
  if (!enabled) return null;
  if (username === "" || password === "") {
    report.error(
      auth.find(AUTH.enabled) ?? place,
      "http_api.auth is on without a username and password: add both",
    );
  }
  return { username, password };
}

function buildExporter(root: Section, taken: Wish[], top: Place, reading: Reading) {
  const exporter = root.enter(EXPORTER);
  const place = exporter.find(METRICS.listen) ?? root.find(EXPORTER) ?? top;
  const enabled = exporter.get(METRICS.enabled);
  const listen = exporter.get(METRICS.listen);
  return {
    listen: enabled && claim(taken, plain("exporter", listen, place), reading) ? listen : null,
    label: exporter.get(METRICS.label),
    tag: exporter.get(METRICS.tag),
  };
}

/** The leaves of one `https { }` block. */
interface HttpsLeaves {
  readonly enabled: Leaf<boolean>;
  readonly listen: Leaf<ListenAddress>;
  readonly key: Leaf<string>;
  readonly cert: Leaf<string>;
}

function buildHttps(section: Section, leaves: HttpsLeaves): HttpsConfig | null {
  const enabled = section.get(leaves.enabled);
  const listen = section.get(leaves.listen);
  const key = section.get(leaves.key);
  const cert = section.get(leaves.cert);
  return enabled ? { listen, key, cert } : null;
}

function plain(name: string, address: ListenAddress, place: Place): Wish {
  return { name, address, speaks: "http", place };
}

function claimHttps(
  taken: Wish[],
  name: string,
  https: HttpsConfig | null,
  place: Place,
  reading: Reading,
): HttpsConfig | null {
  if (!https) return null;
  const { listen: address, key, cert } = https;
  const wish = { name: `${name}.https`, address, speaks: `https with ${key} and ${cert}`, place };
  return claim(taken, wish, reading) ? https : null;
}

/** Whether an address is compatible with the earlier ones. If not, an error is reported. */
function claim(taken: Wish[], wish: Wish, { report }: Reading): boolean {
  const other = conflict(taken, wish);
  if (other) report.error(wish.place, `${quarrel(wish, other)}: give one of them another port`);
  else taken.push(wish);
  return !other;
}

function conflict(taken: readonly Wish[], wish: Wish): Wish | undefined {
  return taken.find((other) => {
    const same = formatListen(other.address) === formatListen(wish.address);
    return overlap(other.address, wish.address) && !(same && other.speaks === wish.speaks);
  });
}

function quarrel(wish: Wish, other: Wish): string {
  return `${wish.name} needs ${formatListen(wish.address)}, ` +
    `which ${formatListen(other.address)} takes in ${other.name}`;
}

/** Whether two addresses exclude each other. */
function overlap(a: ListenAddress, b: ListenAddress): boolean {
  if (a.port !== b.port) return false;
  if (a.host === b.host || a.host === "::" || b.host === "::") return true;
  const sameFamily = a.host.includes(":") === b.host.includes(":");
  return sameFamily && (a.host === EVERY_ADDRESS || b.host === EVERY_ADDRESS);
}
