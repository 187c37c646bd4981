/**
 * Random identifiers in SRS's forms.
 * @module
 */

import { createHash } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** The largest multiple of the alphabet's size in a byte: larger bytes would favour some characters. */
const FAIR_BYTES = 256 - 256 % ALPHABET.length;

function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * length))) {
      if (byte < FAIR_BYTES && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

/**
 * 8 characters [0-9a-z] for one connection or internal task: the id in its log lines, its id in the
 * API and `client_id` in hooks. Also the form of SRS's service id.
 */
export function newConnectionId(): string {
  return randomText(8);
}

/** 7 characters: the id of one reload in the API. */
export function newReloadId(): string {
  return randomText(7);
}

/** `vid-` and 7 characters: the server's id in the API and in hooks. */
export function newServerId(): string {
  return `vid-${randomText(7)}`;
}

/** Characters of the id by which servers know that a request has come through them. */
const HOP_ID_LENGTH = 16;

/** How a server calls itself, in the API and in hooks. */
export interface ServerIdentity {
  readonly serverId: string;
  /** New at every start. */
  readonly serviceId: string;
  /**
   * New at every start, and told to other servers alone: who knew it could make an origin take an edge's
   * request for a loop (H34).
   */
  readonly hopId: string;
}

/** The identity of a server that starts. */
export function newIdentity(): ServerIdentity {
  return {
    serverId: newServerId(),
    serviceId: newConnectionId(),
    hopId: randomText(HOP_ID_LENGTH),
  };
}

/** `vid-` and 7 characters: the id of a vhost or stream entry in the API. */
export function newEntryId(): string {
  return `vid-${randomText(7)}`;
}

/** The same for the same text, in every thread: for entries that several threads have. */
export function entryIdOf(text: string): string {
  const digest = createHash("sha256").update(text).digest().subarray(0, 7);
  return `vid-${Array.from(digest, (byte) => ALPHABET[byte % ALPHABET.length]).join("")}`;
}
