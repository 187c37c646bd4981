/**
 * Commands, both ways: what a client's command message says, and the server's answers
 * (RTMP 1.0 §7.2).
 * @module
 */

import { decodeAmf0All, encodeAmf0 } from "./amf0.ts";
import { numberOf, stringOf } from "./amf_access.ts";
import { AmfEcmaArray, AmfObject, type AmfValue } from "./amf_value.ts";
import { MessageType, STREAM_ID } from "./message.ts";

/** A command message, decoded. */
export interface Command {
  readonly name: string;
  /** 0: no answer is expected. */
  readonly transactionId: number;
  /** Everything after the transaction id; the first is the command object, mostly null. */
  readonly args: readonly AmfValue[];
}

/** Length of the time code that ffmpeg sends as a data or command message (Q49). */
const TIME_CODE_SIZE = 4;

/**
 * Decodes a command message (type 20, or 17 with its leading format byte); null when it says nothing:
 * no name, or a name that is no string (Q34, H9).
 * @throws {RtmpError} when it is not AMF.
 */
export function parseCommand(type: number, payload: Uint8Array): Command | null {
  if (isTimeCode(payload)) return null;
  const body = type === MessageType.COMMAND_AMF3 && payload[0] === 0
    ? payload.subarray(1)
    : payload;
  const [first, second, ...args] = decodeAmf0All(body);
  const name = stringOf(first);
  if (!name) return null;
  return { name, transactionId: numberOf(second) ?? 0, args };
}

/** Whether a data or command message is ffmpeg's 4-byte time code, which is neither (Q49). */
export function isTimeCode(payload: Uint8Array): boolean {
  return payload.length === TIME_CODE_SIZE && payload[0] === 0;
}

/** What Flash clients take a server's `clientid` to be; SRS sends this one. */
const CLIENT_ID = "ASAICiss";
/** The Flash Media Server that we are as good as: clients look at this for features. */
const FMS_VERSION = "FMS/3,5,3,888";

/** Bits of `capsEx` in `connect` (Enhanced RTMP v2). */
export const CapsEx = { RECONNECT: 1, MULTITRACK: 2, MOD_EX: 4, NANO_OFFSET: 8 } as const;
/** `FourCcInfoMask` bit: we pass such media on, and neither decode nor encode it. */
const CAN_FORWARD = 4;

/** Names in the connect command by which a client says that it speaks Enhanced RTMP. */
export const ENHANCED_FIELDS = [
  "fourCcList",
  "videoFourCcInfoMap",
  "audioFourCcInfoMap",
  "capsEx",
] as const;

/**
 * What a relay can do for a peer that speaks Enhanced RTMP: pass on everything. `more`: other
 * `capsEx` bits.
 */
export function relayCapabilities(more = 0): [string, AmfValue][] {
  return [
    ["fourCcList", ["*"]],
    ["videoFourCcInfoMap", new AmfObject([["*", CAN_FORWARD]])],
    ["audioFourCcInfoMap", new AmfObject([["*", CAN_FORWARD]])],
    ["capsEx", CapsEx.MULTITRACK | CapsEx.MOD_EX | CapsEx.NANO_OFFSET | more],
  ];
}

/** Who answers, for the `connect` result. */
export interface ServerIdentity {
  /** Name and version, "srs-edge/1.0.0". */
  readonly server: string;
  readonly pid: number;
  /** Id of the connection, as in the log. */
  readonly connectionId: string;
}

/**
 * `_result` to connect. `objectEncoding` is the client's own, echoed; a client that speaks Enhanced RTMP
 * is told what we can do.
 */
export function connectResult(
  transactionId: number,
  objectEncoding: number,
  who: ServerIdentity,
  enhanced: boolean,
): Uint8Array {
  return encodeAmf0(
    "_result",
    transactionId,
    new AmfObject([
      ["fmsVer", FMS_VERSION],
      ["capabilities", 127],
      ["mode", 1],
      ...(enhanced ? relayCapabilities(CapsEx.RECONNECT) : []),
    ]),
    new AmfObject([
      ["level", "status"],
      ["code", "NetConnection.Connect.Success"],
      ["description", "Connection succeeded"],
      ["objectEncoding", objectEncoding],
      [
        "data",
        new AmfEcmaArray([
          ["version", "3,5,3,888"],
          ["srs_server", who.server],
          ["srs_pid", who.pid],
          ["srs_id", who.connectionId],
        ]),
      ],
    ]),
  );
}

/** `_error` to connect: why it was refused. */
export function connectError(transactionId: number, description: string): Uint8Array {
  return encodeAmf0(
    "_error",
    transactionId,
    null,
    new AmfObject([
      ["level", "error"],
      ["code", "NetConnection.Connect.Rejected"],
      ["description", description],
    ]),
  );
}

/** `onBWDone`, which old Flash clients wait for. */
export function onBwDone(): Uint8Array {
  return encodeAmf0("onBWDone", 0, null);
}

/** `_result` with an empty command object and one value. */
export function result(transactionId: number, value: AmfValue): Uint8Array {
  return encodeAmf0("_result", transactionId, null, value);
}

/** `_result` to createStream: always stream 1, as with SRS. */
export function createStreamResult(transactionId: number): Uint8Array {
  return result(transactionId, STREAM_ID);
}

/** `onStatus`. `extra` goes between description and client id. */
export function onStatus(
  level: "status" | "error",
  code: string,
  description: string,
  extra: Iterable<readonly [string, AmfValue]> = [],
): Uint8Array {
  const info = new AmfObject([["level", level], ["code", code], ["description", description]]);
  for (const [key, value] of extra) info.set(key, value);
  info.set("clientid", CLIENT_ID);
  return encodeAmf0("onStatus", 0, null, info);
}

/** `onFCPublish` or `onFCUnpublish`: what FMLE-style publishers get besides `onStatus`. */
export function onFcStatus(
  name: "onFCPublish" | "onFCUnpublish",
  code: string,
  description: string,
): Uint8Array {
  return encodeAmf0(
    name,
    0,
    null,
    new AmfObject([["code", code], ["description", description]]),
  );
}

/**
 * `NetConnection.Connect.ReconnectRequest`: the client is to continue until the next keyframe, reconnect
 * and then leave (Enhanced RTMP v2). `tcUrl`: where; null: the address that it has.
 */
export function reconnectRequest(description: string, tcUrl: string | null): Uint8Array {
  const info = new AmfObject([
    ["level", "status"],
    ["code", "NetConnection.Connect.ReconnectRequest"],
    ["description", description],
  ]);
  if (tcUrl !== null) info.set("tcUrl", tcUrl);
  return encodeAmf0("onStatus", 0, null, info);
}

/** `|RtmpSampleAccess`: Flash players may look at the decoded picture and sound (data message). */
export function sampleAccess(): Uint8Array {
  return encodeAmf0("|RtmpSampleAccess", true, true);
}
