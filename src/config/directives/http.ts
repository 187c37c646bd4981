/**
 * The directive table, part 2: HTTP endpoints and statistics.
 * @module
 */
import { EVERY_ADDRESS } from "./listen.ts";
import { addressHeaderKind, networkListKind, originListKind } from "./access_kinds.ts";
import type { Network } from "../network.ts";
import type { AddressHeader } from "../types.ts";
import { block, flag, integer, leaf, listen, text, texts } from "./spec.ts";

const notOffered = { status: "not offered" } as const;
const live = { env: true, reload: "live" } as const;
const applied = { env: true, reload: "applied" } as const;

/** An endpoint on all addresses, as SRS's defaults are. */
function everywhere(port: number) {
  return { host: EVERY_ADDRESS, port };
}

function httpsLeaves(port: number) {
  return {
    enabled: flag("off", "Serve HTTPS.", applied),
    listen: listen(everywhere(port), "Address of the HTTPS port.", applied),
    key: text("./conf/server.key", "Private key file, PEM.", applied),
    cert: text("./conf/server.crt", "Certificate file, PEM, the whole chain.", applied),
  };
}

/** `http_api { https { } }` */
export const API_HTTPS = httpsLeaves(1990);

/** `http_server { https { } }` */
export const SERVER_HTTPS = httpsLeaves(8088);

/** SRS does not look at the names inside. */
const httpsTraits = { unchecked: true } as const;

/** `http_api { auth { } }` */
export const AUTH = {
  enabled: flag("off", "Ask for a name and password.", live),
  username: text("", "The name.", live),
  password: text("", "The password.", { ...live, secret: true }),
};

/** `http_api { raw_api { } }` */
export const RAW_API = {
  enabled: flag("off", "Allow commands through the API.", live),
  allow_reload: flag("off", "Allow the command to reload.", live),
  allow_query: flag("off", "Nothing any more.", { status: "relic", reload: "none" }),
  allow_update: flag("off", "Nothing any more.", { status: "relic", reload: "none" }),
};

/** `http_api { }` */
export const API = {
  enabled: flag(
    "off",
    "Serve the statistics API; without the whole block it is on 127.0.0.1:1985.",
    applied,
  ),
  // Without an http_api block the endpoint is 127.0.0.1:1985.
  listen: listen(everywhere(1985), "Address of the API.", applied),
  crossdomain: flag(
    "on",
    "Nothing: the API is for our own pages and http_server.trusted_origins.",
    {
      status: "relic",
      env: true,
      reload: "none",
    },
  ),
  jsonp: flag(
    "off",
    "Answer callback=NAME as a script, for our own pages and trusted_origins. Not in SRS.",
    live,
  ),
  remote_commands: flag(
    "off",
    "Take commands without a password from other machines too, as SRS does. Not in SRS.",
    live,
  ),
  raw_api: block(RAW_API, "Commands through the API."),
  auth: block(AUTH, "HTTP basic authentication for the API."),
  https: block(API_HTTPS, "HTTPS beside HTTP.", httpsTraits),
};

/** The block around {@link API}. */
export const HTTP_API = block(API, "The HTTP endpoint for statistics.");

/** `http_server { }` */
export const SERVER = {
  enabled: flag("off", "Serve files and HTTP-FLV.", applied),
  listen: listen(everywhere(8080), "Address of the HTTP server.", applied),
  dir: text("./objs/nginx/html", "Root of the files.", live),
  crossdomain: flag(
    "on",
    "Allow pages of every site to read streams and files (CORS); never the API.",
    live,
  ),
  trusted_origins: leaf<readonly string[]>(
    originListKind,
    [],
    "Sites whose pages may read answers with credentials, whatever crossdomain says. Not in SRS.",
    live,
  ),
  trusted_proxies: leaf<readonly Network[]>(
    networkListKind,
    [],
    "Proxies whose X-Forwarded-For, X-Real-IP and Forwarded are believed. Not in SRS.",
    live,
  ),
  client_address_header: leaf<AddressHeader>(
    addressHeaderKind,
    null,
    "The header that these proxies set; without it, those that come must agree. Not in SRS.",
    live,
  ),
  https: block(SERVER_HTTPS, "HTTPS beside HTTP.", httpsTraits),
};

/** The block around {@link SERVER}. */
export const HTTP_SERVER = block(SERVER, "The HTTP server for files and streams.");

/** `stats { }` */
export const STATS = block(
  {
    enabled: flag("on", "Collect figures of the machine."),
    network: integer(0, "Which local address the network figures are for."),
    disk: texts("Devices that the disk figures are for."),
  },
  "Figures of the machine for the API.",
  notOffered,
);

/** `exporter { }` */
export const METRICS = {
  enabled: flag("off", "Serve metrics for Prometheus.", applied),
  listen: listen(everywhere(9972), "Address of the metrics.", applied),
  label: text("", "Label of srs_build_info.", live),
  tag: text("", "Tag of srs_build_info.", live),
};

/** The block around {@link METRICS}. */
export const EXPORTER = block(METRICS, "Metrics for Prometheus on a port of their own.");

/** `heartbeat { }` */
export const HEARTBEAT = block(
  {
    enabled: flag("off", "Report to a URL.", { env: true }),
    interval: integer(10, "Time between two reports.", {
      ...live,
      unit: "s",
      min: 1,
      below: "refuse",
    }),
    url: text("http://127.0.0.1:8085/api/v1/servers", "Where reports are posted.", live),
    device_id: text("", "Identity of the machine in reports.", live),
    summaries: flag("off", "Add the figures of the API.", live),
    ports: flag("off", "Add the addresses that are listened on.", live),
  },
  "Periodic reports to a URL.",
  notOffered,
);
