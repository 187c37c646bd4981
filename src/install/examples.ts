/**
 * The files of `conf/`, which are part of the program: `--print-config` writes them out, and `install`
 * puts them in place.
 * @module
 */
import edge from "../../conf/edge.conf" with { type: "text" };
import forward from "../../conf/forward.conf" with { type: "text" };
import full from "../../conf/full.conf" with { type: "text" };
import hls from "../../conf/hls.conf" with { type: "text" };
import realtime from "../../conf/realtime.conf" with { type: "text" };
import reload from "../../conf/reload.conf" with { type: "text" };
import secure from "../../conf/secure.conf" with { type: "text" };
import service from "../../conf/service.conf" with { type: "text" };
import smallMemory from "../../conf/small-memory.conf" with { type: "text" };
import statistics from "../../conf/statistics.conf" with { type: "text" };
import workers from "../../conf/workers.conf" with { type: "text" };
import sysusers from "../../conf/srs-edge.sysusers" with { type: "text" };
import tmpfiles from "../../conf/srs-edge.tmpfiles" with { type: "text" };
import unit from "../../conf/srs-edge.service" with { type: "text" };

/** Configuration files to start from, by the name that `--print-config` takes: `conf/NAME.conf`. */
export const EXAMPLES: ReadonlyMap<string, string> = new Map([
  ["edge", edge],
  ["forward", forward],
  ["full", full],
  ["hls", hls],
  ["realtime", realtime],
  ["reload", reload],
  ["secure", secure],
  ["service", service],
  ["small-memory", smallMemory],
  ["statistics", statistics],
  ["workers", workers],
]);

/** The configuration that an installed service starts with. */
export const SERVICE_CONFIG = service;

/** The systemd unit, for an executable in `/usr/bin`. */
export const UNIT = unit;

/** Who may read its settings, for systemd-tmpfiles. */
export const TMPFILES = tmpfiles;

/** The service's user, for systemd-sysusers. */
export const SYSUSERS = sysusers;
