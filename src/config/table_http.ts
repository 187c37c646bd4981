/**
 * The directive table, part 2: HTTP endpoints and statistics.
 * @module
 */
import { EVERY_ADDRESS } from "./listen.ts";
import { type Block, block, flag, integer, listen, text, texts } from "./spec.ts";

const notOffered = { status: "not offered" } as const;

/** An endpoint on all addresses, as SRS's defaults are. */
function everywhere(port: number) {
  return { host: EVERY_ADDRESS, port };
}

function https(port: number): Block {
  return block(
    {
      enabled: flag("off", "Serve HTTPS.", { env: true }),
      listen: listen(everywhere(port), "Address of the HTTPS port.", { env: true }),
      key: text("./conf/server.key", "Private key file.", { env: true }),
      cert: text("./conf/server.crt", "Certificate file.", { env: true }),
    },
    "HTTPS beside HTTP.",
    { ...notOffered, unchecked: true },
  );
}

/** `http_api { }` */
export const API = {
  enabled: flag("off", "Serve the statistics API.", { env: true }),
  // Without an http_api block the endpoint is 127.0.0.1:1985.
  listen: listen(everywhere(1985), "Address of the API.", { env: true }),
  crossdomain: flag("on", "Nothing: http_server.crossdomain decides for the API too.", {
    status: "relic",
    env: true,
    reload: "none",
  }),
  raw_api: block(
    {
      enabled: flag("off", "Allow commands through the API.", { env: true, reload: "live" }),
      allow_reload: flag("off", "Allow the command to reload.", { env: true, reload: "live" }),
      allow_query: flag("off", "Nothing any more.", { status: "relic", reload: "none" }),
      allow_update: flag("off", "Nothing any more.", { status: "relic", reload: "none" }),
    },
    "Commands through the API.",
    notOffered,
  ),
  auth: block(
    {
      enabled: flag("off", "Ask for a name and password.", { env: true, reload: "live" }),
      username: text("", "The name.", { env: true, reload: "live" }),
      password: text("", "The password.", { env: true, reload: "live" }),
    },
    "HTTP basic authentication for the API.",
    notOffered,
  ),
  https: https(1990),
};

/** The block around {@link API}. */
export const HTTP_API = block(API, "The HTTP endpoint for statistics.");

/** `http_server { }` */
export const HTTP_SERVER = block(
  {
    enabled: flag("off", "Serve files and HTTP-FLV.", { env: true }),
    listen: listen(everywhere(8080), "Address of the HTTP server.", { env: true }),
    dir: text("./objs/nginx/html", "Root of the files.", { env: true }),
    crossdomain: flag("on", "Allow pages of other sites to read answers (CORS).", {
      env: true,
      reload: "live",
    }),
    https: https(8088),
  },
  "The HTTP server for files and streams.",
  notOffered,
);

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
export const EXPORTER = block(
  {
    enabled: flag("off", "Serve metrics for Prometheus.", { env: true }),
    listen: listen(everywhere(9972), "Address of the metrics.", { env: true }),
    label: text("", "Label of srs_build_info.", { env: true }),
    tag: text("", "Tag of srs_build_info.", { env: true }),
  },
  "Metrics for Prometheus on a port of their own.",
  notOffered,
);

const beat = { env: true, reload: "live" } as const;

/** `heartbeat { }` */
export const HEARTBEAT = block(
  {
    enabled: flag("off", "Report to a URL.", { env: true }),
    interval: integer(10, "Time between two reports.", {
      ...beat,
      unit: "s",
      min: 1,
      below: "refuse",
    }),
    url: text("http://127.0.0.1:8085/api/v1/servers", "Where reports are posted.", beat),
    device_id: text("", "Identity of the machine in reports.", beat),
    summaries: flag("off", "Add the figures of the API.", beat),
    ports: flag("off", "Add the addresses that are listened on.", beat),
  },
  "Periodic reports to a URL.",
  notOffered,
);
