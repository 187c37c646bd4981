/**
 * The commands of a client, and what the answers to them say (RTMP 1.0 §7.2).
 * @module
 */

import { encodeAmf0 } from "./amf0.ts";
import { type AnyAmf, propertiesOf, propertyOf, stringOf } from "./amf_access.ts";
import { AmfObject, type AmfValue } from "./amf_value.ts";
import { type Command, relayCapabilities } from "./command.ts";
import { HOPS_FIELD } from "./hops.ts";

/** Which way the media flows. */
export type ClientRole = "play" | "publish";

/** What a client says of itself with `connect`. */
export interface ClientIdentity {
  readonly tcUrl: string;
  readonly app: string;
  /** `flashVer`; null: the usual one of the role. */
  readonly flashVer?: string | null;
  /** Page and player of the viewer on whose behalf we ask; empty: not said. */
  readonly pageUrl?: string;
  readonly swfUrl?: string;
  /** Announces that we take and bring everything that Enhanced RTMP knows. */
  readonly enhanced?: boolean;
  /** Servers that the request has come through, see hops.ts; empty: not said. */
  readonly hops?: string;
  /** A second object with whatever the servers of a cluster tell each other; null: none. */
  readonly args?: AmfObject | null;
}

/** The player that SRS says it is. */
const PLAYER_FLASH_VER = "WIN 15,0,0,239";
/** The encoder that ffmpeg and OBS say they are. */
const PUBLISHER_FLASH_VER = "FMLE/3.0 (compatible; srs-edge)";

/** Transaction id of `connect`: the standard fixes it. */
export const CONNECT_TRANSACTION = 1;

/** What only a player's `connect` has, with SRS's values; some servers judge the role by it (S6). */
const PLAYER_FIELDS: readonly (readonly [string, AmfValue])[] = [
  ["fpad", false],
  ["capabilities", 239],
  ["audioCodecs", 3575],
  ["videoCodecs", 252],
  ["videoFunction", 1],
];
/** What only a publisher's has, as with FMLE. */
const PUBLISHER_FIELDS: readonly (readonly [string, AmfValue])[] = [["type", "nonprivate"]];

/** `connect`. */
export function connectRequest(role: ClientRole, who: ClientIdentity): Uint8Array {
  const play = role === "play";
  const object = new AmfObject([
    ["app", who.app],
    ["flashVer", who.flashVer ?? (play ? PLAYER_FLASH_VER : PUBLISHER_FLASH_VER)],
  ]);
  if (who.swfUrl) object.set("swfUrl", who.swfUrl);
  object.set("tcUrl", who.tcUrl);
  if (who.pageUrl) object.set("pageUrl", who.pageUrl);
  for (const [key, value] of play ? PLAYER_FIELDS : PUBLISHER_FIELDS) object.set(key, value);
  object.set("objectEncoding", 0);
  if (who.enhanced) { for (const [key, value] of relayCapabilities()) object.set(key, value); }
  if (who.hops) object.set(HOPS_FIELD, who.hops);
  const more = who.args ? [who.args] : [];
  return encodeAmf0("connect", CONNECT_TRANSACTION, object, ...more);
}

/** A command whose command object is null: createStream, releaseStream, FCPublish, deleteStream... */
export function request(
  name: string,
  transactionId: number,
  ...values: AmfValue[]
): Uint8Array {
  return encodeAmf0(name, transactionId, null, ...values);
}

/** `play` of a live stream: `name` with its query (S9). */
export function playRequest(name: string): Uint8Array {
  return request("play", 0, name);
}

/** `publish`: the type must be the word "live", some servers take nothing else (S5). */
export function publishRequest(transactionId: number, name: string): Uint8Array {
  return request("publish", transactionId, name, "live");
}

/** What an answer or a status message says. */
export interface StatusInfo {
  /** `status`, `warning` or `error`; empty when it is not said. */
  readonly level: string;
  /** Such as `NetStream.Play.Start`; empty when it is not said. */
  readonly code: string;
  readonly description: string;
  /** Where else the stream is, an RTMP URL (RTMP 302, S8); null: nowhere. */
  readonly redirect: string | null;
}

/** Reads the information object of `_result`, `_error` or `onStatus`; what is missing is empty. */
export function statusInfo({ args }: Command): StatusInfo {
  // It is the last argument of every such command; Red5 leaves out what stands before it (S1).
  const info = args.findLast((value) => propertiesOf(value)?.has("code")) ??
    args.findLast((value) => propertiesOf(value) !== null);
  return {
    level: stringOf(propertyOf(info, "level")) ?? "",
    code: stringOf(propertyOf(info, "code")) ?? "",
    description: stringOf(propertyOf(info, "description")) ?? "",
    redirect: redirectOf(info),
  };
}

/** SRS's `redirect2` has the stream in it, Adobe's `redirect` ends with the app (S8). */
function redirectOf(info: AnyAmf): string | null {
  const ex = propertyOf(info, "ex");
  const url = stringOf(propertyOf(ex, "redirect2")) || stringOf(propertyOf(ex, "redirect"));
  return url || null;
}
