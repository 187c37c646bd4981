/**
 * `/api/v1/raw`: what SRS's raw API has left, which is to reload.
 * @module
 */

import type { Context } from "hono";
import type { RawApiConfig } from "../../../config/types.ts";
import { type HttpEnv, json } from "../request/answer.ts";
import type { ServerControl } from "./control.ts";
import { commandRefusal, type Protection } from "../request/effects.ts";

/** SRS's number for a command that there is not. */
const RAW_UNKNOWN = 1060;
/** SRS's number for a command that is not allowed. */
const RAW_OFF = 1061;

/** What it needs to know. */
export interface RawOptions {
  readonly protection: Protection;
  /** Where the API listens, as in a configuration file. */
  readonly listen: string;
  readonly crossdomain: boolean;
  readonly rawApi: RawApiConfig;
  readonly control: ServerControl | null;
}

/** Answers `?rpc=...`. */
export function rawApi(c: Context<HttpEnv>, options: RawOptions): Response {
  const { listen, crossdomain, control, rawApi: { enabled, allowReload } } = options;
  const rpc = c.req.query("rpc");
  if (rpc === "raw") {
    const allowed = { allow_reload: allowReload, allow_query: false, allow_update: false };
    const api = { enabled: true, listen, crossdomain, raw_api: { enabled, ...allowed } };
    return json(c, { code: 0, http_api: api });
  }
  if (!enabled || !control) return json(c, { code: RAW_OFF });
  switch (rpc) {
    case "reload": {
      if (!allowReload) return json(c, { code: RAW_OFF });
      const refusal = commandRefusal(c, options.protection);
      if (refusal !== null) return c.text(refusal, 403);
      control.reload();
      return json(c, { code: 0 });
    }
    case "reload-fetch": {
      const { err, msg, state, rid } = control.reloadReport;
      return json(c, { code: 0, data: { err, msg, state, rid } });
    }
    default:
      return json(c, { code: RAW_UNKNOWN });
  }
}
