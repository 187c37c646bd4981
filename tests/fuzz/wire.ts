/**
 * Random RTMP: messages that are mostly right, cut into chunks of every kind.
 * @module
 */
import { Buffer } from "node:buffer";
import { encodeAmf0 } from "../../src/rtmp/amf0.ts";
import {
  AmfDate,
  AmfEcmaArray,
  AmfObject,
  AmfReference,
  AmfTypedObject,
  AmfUnsupported,
  type AmfValue,
  AmfXml,
} from "../../src/rtmp/amf_value.ts";
import { chunk } from "../unit/support/naive_chunks.ts";
import { connectObject } from "../unit/support/rtmp_peer.ts";
import type { Random } from "./random.ts";

const TEXTS = [
  "",
  "s",
  "live",
  "__proto__",
  "../x",
  "a\r\nb",
  "ü😀",
  "onMetaData",
  "x".repeat(300),
];

/** A random AMF0 value. */
export function amfValue(random: Random, depth = 0): AmfValue {
  const members = () =>
    Array.from({ length: random.below(4) }, (): [string, AmfValue] => [
      random.pick(TEXTS),
      amfValue(random, depth + 1),
    ]);
  switch (random.below(depth > 4 ? 6 : 12)) {
    case 0:
      return random.pick([0, 1, -1, NaN, Infinity, 2 ** 32, 0.5]);
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick(TEXTS);
    case 3:
      return null;
    case 4:
      return undefined;
    case 5:
      return random.pick([
        new AmfUnsupported(),
        new AmfReference(1),
        new AmfDate(1, 0),
        new AmfXml("x"),
      ]);
    case 6:
      return Array.from({ length: random.below(4) }, () => amfValue(random, depth + 1));
    case 7:
      return new AmfTypedObject("x", members());
    case 8:
      return new AmfEcmaArray(members());
    default:
      return new AmfObject(members());
  }
}

const COMMANDS = ["connect", "createStream", "publish", "play", "releaseStream", "FCPublish"]
  .concat("FCUnpublish", "closeStream", "deleteStream", "pause", "getStreamLength", "_result")
  .concat("onStatus", "_checkbw", "seek", "play2", "call", "");

const VIDEO_HEADS = [
  "1700000000",
  "1701000000",
  "2701000000",
  "1c00000000",
  "9068766331",
  "9168766331",
]
  .concat("866876633105", "8761763031", "", "57", "ff");
const AUDIO_HEADS = ["af001210", "af01", "2f", "904f707573", "914f707573", "95", "", "ff"];

function payloadOf(random: Random, type: number): Uint8Array {
  const tail = random.bytes(random.chance(0.1) ? 3000 : 60);
  const hex = (text: string) => Buffer.from(text, "hex");
  switch (type) {
    case 9:
      return Buffer.concat([hex(random.pick(VIDEO_HEADS)), tail]);
    case 8:
      return Buffer.concat([hex(random.pick(AUDIO_HEADS)), tail]);
    case 18:
      return encodeAmf0("@setDataFrame", "onMetaData", amfValue(random));
    case 20: {
      const name = random.pick(COMMANDS);
      if (name === "connect") return encodeAmf0(name, 1, connectObject());
      const values = [null, random.pick(["s", "w", "s", amfValue(random)]), amfValue(random)];
      return encodeAmf0(name, random.below(3), ...values.slice(0, random.below(4)));
    }
    case 1:
      return Uint8Array.from([0, 0, random.below(64), 1 + random.below(255)]);
    case 4:
      return Uint8Array.from([0, random.below(8), 0, 0, 0, random.below(256)]);
    default:
      return random.bytes(40);
  }
}

const TYPES = [20, 20, 20, 20, 9, 9, 9, 8, 8, 18, 4, 1, 2, 3, 5, 22, 15, 17, 6, 99];

/** What is remembered of one chunk stream. */
interface Sent {
  type: number;
  length: number;
  extended: boolean;
}

/** Writes random messages, interleaved, with chunk headers of all types. */
export class RandomPeer {
  readonly #random: Random;
  readonly #streams = new Map<number, Sent>();
  #chunkSize = 128;
  #time = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Some messages one after the other. */
  messages(count: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const type = this.#random.pick(TYPES);
      parts.push(this.message(type, payloadOf(this.#random, type)));
    }
    return Buffer.concat(parts);
  }

  /** One message. */
  message(type: number, payload: Uint8Array): Uint8Array {
    const random = this.#random;
    const csid = random.pick([2, 3, 4, 5, 6, 6, 6, 64, 320, 65599]);
    const known = this.#streams.get(csid);
    this.#time += random.pick([0, 10, 40, 300, 0x1000000]);
    const same = known?.type === type && known.length === payload.length;
    const fmt = known === undefined
      ? 0
      : same && random.chance(0.3)
      ? 2
      : random.pick([0, 0, 1] as const);
    const time = fmt === 0 ? this.#time % 2 ** 32 : random.pick([0, 20, 0xfffffe, 0x1000000]);
    const extended = time >= 0xffffff;
    this.#streams.set(csid, { type, length: payload.length, extended });
    const fields = { csid, time, length: payload.length, type, msid: random.pick([0, 1, 1, 7]) };
    const parts = [chunk(fmt, fields, payload.subarray(0, this.#chunkSize))];
    const repeats = extended && random.chance(0.7);
    for (let at = this.#chunkSize; at < payload.length; at += this.#chunkSize) {
      const rest = repeats ? { csid, repeated: time } : { csid };
      parts.push(chunk(3, rest, payload.subarray(at, at + this.#chunkSize)));
    }
    if (type === 1 && payload.length >= 4) {
      this.#chunkSize = Math.max(1, Buffer.from(payload).readUInt32BE(0));
    }
    return Buffer.concat(parts);
  }
}
